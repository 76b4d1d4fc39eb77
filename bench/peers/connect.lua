-- CONNECT for HAProxy in mode tcp: take the head from the channel, answer it, say where to go. It runs when the
-- beginning of a head is there, and since the generator sends heads in one piece, all of it is.
core.register_action("connect", { "tcp-req" }, function(txn)
    local head = txn.req:data()
    local address, port = head:match("^CONNECT ([%d%.]+):(%d+) ")
    local _, last = head:find("\r\n\r\n", 1, true)
    if address == nil or last == nil then
        txn:done()
        return
    end
    txn.req:remove(0, last)
    txn:set_var("txn.address", address)
    txn:set_var("txn.port", tonumber(port))
    txn.res:send("HTTP/1.1 200 OK\r\n\r\n")
end)
