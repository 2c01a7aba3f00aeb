"""Other programs that carry the same, as they are normally configured.

Each takes the bench and a source (a file or a folder) and returns a `Run`, which is over when both
sides are; what arrived has been compared by then.
"""

import os
import signal
import socket
import subprocess
import time
import urllib.parse

from process import Failed, Process, Run, wait_until, which

NEEDS = {
    "raw": ["cc"], "framed": ["cc"], "tar": ["tar"], "socat": ["tar", "socat"],
    "https": ["nginx", "curl", "openssl"], "https_8": ["nginx", "curl", "openssl"],
    "rsync_ssh": ["rsync", "sshd", "ssh", "ssh-keygen"],
    "rsync_daemon": ["rsync"],
}


def missing(name):
    return [program for program in NEEDS[name] if not which(program)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until_listening(port):
    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    wait_until(listens, "a server to listen")


def _carry(bench, source, target, there, start):
    """Measures from `start()`, which starts the sending processes, to the end of those and of `there`."""
    begun = time.perf_counter()
    here = start()
    uses = [process.succeed() for process in here]
    uses_there = [process.succeed() for process in there]
    seconds = time.perf_counter() - begun
    bench.check_same(source, target)
    return Run(seconds, sum(used.cpu_s for used in uses + uses_there),
               max(used.peak_mib for used in uses), max(used.peak_mib for used in uses_there))


def raw(bench, source, host="127.0.0.1", sender_prefix=(), receiver_prefix=()):
    """`plain.c`: one file in a loop of reading and writing 1 MiB, or the framed files of a folder."""
    target = f"{bench.new_folder('plain')}/copy"
    plain = bench.compiled("plain")
    receiver = Process([plain, "receive", target, host], stdout=subprocess.PIPE, prefix=receiver_prefix)
    port = receiver.popen.stdout.readline().decode().strip()
    return _carry(bench, source, target, [receiver],
                  lambda: [Process([plain, "send", source, host, port], prefix=sender_prefix)])


framed = raw


def tar(bench, source):
    """tar writes into one end of a TCP connection and tar reads from the other: nothing between them."""
    target = bench.new_folder("tar")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        out = socket.create_connection(listener.getsockname())
        into, _ = listener.accept()
    there = Process(["tar", "-xf", "-", "-C", target], stdin=into)
    into.close()

    def start():
        parent, name = os.path.split(source)
        here = Process(["tar", "-cf", "-", "-C", parent, name], stdout=out)
        out.close()
        return [here]
    return _carry(bench, source, f"{target}/{os.path.basename(source)}", [there], start)


def socat(bench, source):
    """tar through pipes and `socat`, as one types it."""
    target, port = bench.new_folder("socat"), free_port()
    gate = Process(["socat", "-u", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr", "-"], stdout=subprocess.PIPE)
    unpack = Process(["tar", "-xf", "-", "-C", target], stdin=gate.popen.stdout)
    gate.popen.stdout.close()
    # Asking whether it listens would be the one connection it takes.
    wait_until(lambda: _listening_in_proc(port), "socat to listen")

    def start():
        parent, name = os.path.split(source)
        pack = Process(["tar", "-cf", "-", "-C", parent, name], stdout=subprocess.PIPE)
        door = Process(["socat", "-u", "-", f"TCP:127.0.0.1:{port}"], stdin=pack.popen.stdout)
        pack.popen.stdout.close()
        return [pack, door]
    return _carry(bench, source, f"{target}/{os.path.basename(source)}", [gate, unpack], start)


def _listening_in_proc(port):
    with open("/proc/net/tcp") as table:
        return any(f":{port:04X} 00000000:0000 0A" in line for line in table)


NGINX = """daemon off; worker_processes 2; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 256; }}
http {{
    access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl; root {root}; keepalive_requests 1000000;
        ssl_protocols TLSv1.3; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    }}
}}
"""


def https(bench, source, more=()):
    """curl fetches from nginx; many files by one curl, one after the other over one connection, as it does unasked."""
    folder, target, port = bench.new_folder("nginx"), bench.new_folder("https"), free_port()
    os.chmod(folder, 0o755)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
        check=True, capture_output=True)
    parent = os.path.dirname(source)
    with open(f"{folder}/nginx.conf", "w") as file:
        user = "user root; " if os.geteuid() == 0 else ""
        file.write(user + NGINX.format(folder=folder, port=port, root=parent))
    # What curl shall fetch is known before: a list made beforehand costs it nothing here.
    with open(f"{folder}/list", "w") as file:
        for path in _files(source):
            name = os.path.relpath(path, parent)
            url = f"https://127.0.0.1:{port}/{urllib.parse.quote(name)}"
            file.write(f'url = "{url}"\noutput = "{target}/{name}"\n')
    nginx = Process([which("nginx"), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/errors"])
    try:
        until_listening(port)
        begun = time.perf_counter()
        curl = Process(["curl", "--silent", "--fail", "--insecure", "--create-dirs", *more,
                        "--config", f"{folder}/list"])
        used_there = curl.succeed()
        seconds = time.perf_counter() - begun
    finally:
        used = nginx.end(signal.SIGQUIT)
    bench.check_same(source, f"{target}/{os.path.basename(source)}")
    return Run(seconds, used.cpu_s + used_there.cpu_s, used.peak_mib, used_there.peak_mib)


def https_8(bench, source):
    """The same with eight connections: curl at its best with many files."""
    return https(bench, source, ("--parallel", "--parallel-max", "8", "--no-progress-meter"))


def _files(source):
    if not os.path.isdir(source):
        yield source
    for folder, _folders, names in os.walk(source):
        for name in names:
            yield f"{folder}/{name}"


def rsync_ssh(bench, source):
    """`rsync -a` over an sshd of our own with aes128-gcm, which is the fastest cipher it has here."""
    folder, target, port = bench.new_folder("ssh"), bench.new_folder("rsync"), free_port()
    for key in "host", "user":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{key}"], check=True)
    os.makedirs("/run/sshd", exist_ok=True) if os.geteuid() == 0 else None
    sshd = Process(
        [which("sshd"), "-D", "-f", "/dev/null", "-h", f"{folder}/host", "-p", str(port),
         "-o", "ListenAddress=127.0.0.1", "-o", f"AuthorizedKeysFile={folder}/user.pub", "-o", "StrictModes=no",
         "-o", f"PidFile={folder}/pid", "-o", "PermitRootLogin=yes", "-o", "UsePAM=no",
         "-o", "MaxStartups=100"], stderr=subprocess.DEVNULL)
    try:
        until_listening(port)
        ssh = (f"ssh -p {port} -i {folder}/user -c aes128-gcm@openssh.com -o StrictHostKeyChecking=no"
               f" -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes -F none")
        begun = time.perf_counter()
        rsync = Process(["rsync", "-a", "-e", ssh, source, f"127.0.0.1:{target}/"])
        used = rsync.succeed()
        seconds = time.perf_counter() - begun
    finally:
        used_there = sshd.end_idle()
    bench.check_same(source, f"{target}/{os.path.basename(source)}")
    return Run(seconds, used.cpu_s + used_there.cpu_s, used.peak_mib, used_there.peak_mib)


class RsyncDaemon:
    """A module `here` that is one folder."""

    def __init__(self, bench, target):
        folder, self.port = bench.new_folder("rsyncd"), free_port()
        root = "uid = root\ngid = root\n" if os.geteuid() == 0 else ""
        with open(f"{folder}/conf", "w") as file:
            file.write(f"{root}use chroot = no\npid file = {folder}/pid\nlog file = {folder}/log\n"
                       f"[here]\npath = {target}\nread only = no\n")
        self.process = Process(["rsync", "--daemon", "--no-detach", "--address=127.0.0.1", f"--port={self.port}",
                                f"--config={folder}/conf"])
        until_listening(self.port)

    def send(self, source, *more, stdout=subprocess.DEVNULL):
        return Process(["rsync", "-a", *more, source, f"rsync://127.0.0.1:{self.port}/here/"], stdout=stdout)

    def end(self):
        return self.process.end_idle()


def rsync_daemon(bench, source):
    target = bench.new_folder("rsync")
    daemon = RsyncDaemon(bench, target)
    try:
        begun = time.perf_counter()
        used = daemon.send(source).succeed()
        seconds = time.perf_counter() - begun
    finally:
        used_there = daemon.end()
    bench.check_same(source, f"{target}/{os.path.basename(source)}")
    return Run(seconds, used.cpu_s + used_there.cpu_s, used.peak_mib, used_there.peak_mib)


def run(name, bench, source):
    """The rival's run, or None when it is not installed here."""
    if lacking := missing(name):
        bench.note(f"{name}: not measured, {', '.join(lacking)} not installed")
        return None
    try:
        return globals()[name](bench, source)
    except Failed as failure:
        bench.note(f"{name}: not measured, {failure}")
        return None
