// java Fetch WITH PROXY CA URL... ; one line a URL: status and SHA-256. /sum gets a POST. WITH is `client`
// (java.net.http), `connection` (HttpURLConnection), or `sockets`: by hand over SSLSocket, since neither of the
// others can speak TLS to a proxy.
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Arrays;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public class Fetch {
    static byte[] body = new byte[0];

    static SSLContext context(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream in = new FileInputStream(file)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        return context;
    }

    static void tell(int status, URI url, byte[] got) throws Exception {
        StringBuilder text = new StringBuilder();
        if (url.getPath().equals("/sum")) {
            text.append(new String(got, StandardCharsets.US_ASCII));
        } else {
            for (byte b : MessageDigest.getInstance("SHA-256").digest(got)) text.append(String.format("%02x", b));
        }
        System.out.println(status + " " + text);
        body = got;
    }

    static void withClient(URI proxy, SSLContext context, URI[] urls) throws Exception {
        HttpClient client = HttpClient.newBuilder().sslContext(context).version(HttpClient.Version.HTTP_1_1)
                .proxy(ProxySelector.of(new InetSocketAddress(proxy.getHost(), proxy.getPort()))).build();
        for (URI url : urls) {
            HttpRequest.Builder request = HttpRequest.newBuilder(url).timeout(Duration.ofSeconds(20));
            if (url.getPath().equals("/sum")) request.POST(HttpRequest.BodyPublishers.ofByteArray(body));
            HttpResponse<byte[]> answer = client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
            tell(answer.statusCode(), url, answer.body());
        }
    }

    static void withConnection(URI proxy, SSLContext context, URI[] urls) throws Exception {
        HttpsURLConnection.setDefaultSSLSocketFactory(context.getSocketFactory());
        Proxy way = new Proxy(Proxy.Type.HTTP, new InetSocketAddress(proxy.getHost(), proxy.getPort()));
        for (URI url : urls) {
            HttpURLConnection connection = (HttpURLConnection) url.toURL().openConnection(way);
            connection.setReadTimeout(20000);
            if (url.getPath().equals("/sum")) {
                connection.setDoOutput(true);
                connection.setChunkedStreamingMode(4096);
                try (OutputStream out = connection.getOutputStream()) { out.write(body); }
            }
            try (InputStream in = connection.getInputStream()) {
                tell(connection.getResponseCode(), url, in.readAllBytes());
            }
        }
    }

    static String line(InputStream in) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int b; (b = in.read()) != '\n'; ) {
            if (b < 0) throw new Exception("cut short");
            if (b != '\r') bytes.write(b);
        }
        return bytes.toString(StandardCharsets.US_ASCII);
    }

    /** The answer's status; its content goes to `content`. */
    static int answer(InputStream in, ByteArrayOutputStream content) throws Exception {
        int status = Integer.parseInt(line(in).split(" ")[1]);
        int length = 0;
        for (String field; !(field = line(in)).isEmpty(); )
            if (field.toLowerCase().startsWith("content-length:")) length = Integer.parseInt(field.substring(15).trim());
        content.write(in.readNBytes(length));
        return status;
    }

    static void withSockets(URI proxy, SSLContext context, URI[] urls) throws Exception {
        Socket socket = context.getSocketFactory().createSocket(proxy.getHost(), proxy.getPort());
        socket.setSoTimeout(20000);
        boolean isTunnel = urls[0].getScheme().equals("https");
        String name = urls[0].getHost() + ":" + urls[0].getPort();
        if (isTunnel) {
            socket.getOutputStream().write(("CONNECT " + name + " HTTP/1.1\r\nHost: " + name + "\r\n\r\n").getBytes());
            int status = answer(socket.getInputStream(), new ByteArrayOutputStream());
            if (status != 200) throw new Exception("CONNECT: " + status);
            socket = context.getSocketFactory().createSocket(socket, urls[0].getHost(), urls[0].getPort(), true);
        }
        for (URI url : urls) {
            boolean isPost = url.getPath().equals("/sum");
            String head = (isPost ? "POST " : "GET ") + (isTunnel ? url.getPath() : url) + " HTTP/1.1\r\nHost: " + name
                    + "\r\n" + (isPost ? "Content-Length: " + body.length + "\r\n" : "") + "\r\n";
            socket.getOutputStream().write(head.getBytes());
            if (isPost) socket.getOutputStream().write(body);
            ByteArrayOutputStream content = new ByteArrayOutputStream();
            int status = answer(socket.getInputStream(), content);
            tell(status, url, content.toByteArray());
        }
        socket.close();
    }

    public static void main(String[] words) throws Exception {
        URI proxy = URI.create(words[1]);
        SSLContext context = context(words[2]);
        URI[] urls = Arrays.stream(words).skip(3).map(URI::create).toArray(URI[]::new);
        switch (words[0]) {
            case "client" -> withClient(proxy, context, urls);
            case "connection" -> withConnection(proxy, context, urls);
            default -> withSockets(proxy, context, urls);
        }
        System.exit(0);
    }
}
