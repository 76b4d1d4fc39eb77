-- CONNECT for HAProxy in mode tcp: take the head from the channel, answer it, say where to go.
core.register_action("connect", { "tcp-req" }, function(txn)
    local address, port
    repeat
        local line = txn.req:line(0)
        if line == nil then
            core.yield()
        elseif address == nil then
            address, port = line:match("^CONNECT ([%d%.]+):(%d+) ")
            if address == nil then
                txn:done()
                return
            end
        end
        if line ~= nil then
            txn.req:remove(0, #line)
        end
    until line == "\r\n"
    txn:set_var("txn.address", address)
    txn:set_var("txn.port", tonumber(port))
    txn.res:send("HTTP/1.1 200 OK\r\n\r\n")
end)
