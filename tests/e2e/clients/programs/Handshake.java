// java Handshake PROXY CA STORE PASSWORD PORT:VERSION:COUNT:BEARS... as handshake.go; STORE is a PKCS #12 file with
// certificate and key.
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public class Handshake {
    static SSLContext context(String ca, String store, String password) throws Exception {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null);
        try (InputStream in = new FileInputStream(ca)) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        KeyStore own = KeyStore.getInstance("PKCS12");
        own.load(null);
        if (store != null) {
            try (InputStream in = new FileInputStream(store)) { own.load(in, password.toCharArray()); }
        }
        keys.init(own, password.toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    static void say(Socket socket, String text) throws Exception {
        socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
        socket.getOutputStream().flush();
    }

    /** The status of a head that is read to its end. */
    static String status(InputStream in) throws Exception {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int c = in.read();
            if (c < 0) throw new Exception("cut short");
            head.append((char) c);
        }
        return head.substring(9, 12);
    }

    static String play(String proxy, int port, String version, SSLContext context) throws Exception {
        String[] door = proxy.split(":");
        try (Socket socket = new Socket(door[0], Integer.parseInt(door[1]))) {
            socket.setSoTimeout(20000);
            say(socket, "CONNECT localhost:" + port + " HTTP/1.1\r\nHost: localhost:" + port + "\r\n\r\n");
            if (!status(socket.getInputStream()).equals("200")) return "CONNECT was refused";
            try (SSLSocket inner = (SSLSocket) context.getSocketFactory().createSocket(socket, "localhost", port, true)) {
                inner.setEnabledProtocols(new String[] {"TLSv" + version});
                say(inner, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
                String status = status(inner.getInputStream());
                inner.getInputStream().readAllBytes();
                return status.equals("200") ? "ok" : status;
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        for (int i = 4; i < arguments.length; i++) {
            String[] words = arguments[i].split(":");
            String store = words[3].equals("-") ? null : arguments[2];
            SSLContext context = context(arguments[1], store, arguments[3]);
            for (int left = Integer.parseInt(words[2]); left > 0; left--) {
                String result;
                try {
                    result = play(arguments[0], Integer.parseInt(words[0]), words[1], context);
                } catch (Exception error) {
                    result = error.toString();
                }
                System.out.println(result);
            }
        }
    }
}
