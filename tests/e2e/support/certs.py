"""Certificates for one test session, made by the openssl program into a directory of their own."""
import ssl
import subprocess
import time

SERVER_NAMES = "DNS:localhost,DNS:origin.test,DNS:*.origin.test,DNS:proxy.test,IP:127.0.0.1,IP:::1"
P256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("rsa:2048",)


class Certs:
    def __init__(self, folder):
        self.folder = folder
        self.ca, self.ca_key = folder / "ca.pem", folder / "ca.key"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-subj", "/CN=Test CA", "-days", "30", "-keyout", self.ca_key, "-out", self.ca,
                  "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.server, self.server_key = self.issue("server", SERVER_NAMES, "serverAuth")
        self.client, self.client_key = self.issue("client", "DNS:client.test", "clientAuth")
        self.other, self.other_key = self.issue("other", "DNS:other.test", "serverAuth")

    def _run(self, *arguments, **more):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True,
                       timeout=60, **more)

    def issue(self, name, alternative_names, usage, is_expired=False, key_kind=P256):
        """A certificate signed by the CA: (certificate path, key path)."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative_names}\nextendedKeyUsage={usage}\n"
                              "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n")
        self._run("req", "-newkey", *key_kind, "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        sign = ["x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial",
                "-extfile", extensions, "-out", certificate]
        if not is_expired:
            self._run(*sign, "-days", 30)
            return certificate, key
        try:
            self._run(*sign, "-not_before", "20200101000000Z", "-not_after", "20200201000000Z")
        except subprocess.CalledProcessError:  # before OpenSSL 3.4
            self._run(*sign, "-days", -1)
        return certificate, key

    def issue_for(self, name, alternative_names, usage, seconds):
        """One that is good for so many seconds from now on: (certificate path, key path)."""
        certificate, key = self.issue(name, alternative_names, usage)
        folder = self.folder / f"{name}.ca"
        folder.mkdir()
        (folder / "index").write_text("")
        (folder / "config").write_text(
            f"[ca]\ndefault_ca=x\n[x]\ndatabase={folder}/index\nnew_certs_dir={folder}\nrand_serial=yes\n"
            "default_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n")
        end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
        self._run("ca", "-batch", "-notext", "-config", folder / "config", "-cert", self.ca, "-keyfile", self.ca_key,
                  "-in", self.folder / f"{name}.csr", "-extfile", self.folder / f"{name}.ext", "-out", certificate,
                  "-startdate", "20200101000000Z", "-enddate", end)
        return certificate, key

    def self_sign(self, name, alternative_names):
        """A certificate that vouches for itself: (certificate path, key path)."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                  f"/CN={name}", "-keyout", key, "-out", certificate, "-addext",
                  f"subjectAltName={alternative_names}")
        return certificate, key

    def server_context(self, certificate=None, key=None, client_ca=False, versions=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate or self.server, key or self.server_key)
        context.set_alpn_protocols(["http/1.1"])
        if client_ca:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return _limit(context, versions)

    def client_context(self, with_certificate=False, alpn=("http/1.1",), versions=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.ca)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if with_certificate:
            context.load_cert_chain(self.client, self.client_key)
        return _limit(context, versions)


def _limit(context, versions):
    if versions:
        context.minimum_version, context.maximum_version = versions
    return context
