"""A peer of TLS: `server CERT KEY` sends back what it reads and prints its port; `client CA PORT...` asks for that."""
import socket
import ssl
import sys
import threading

SIZE = 100000


def read(stream, size):
    parts = []
    while size > 0:
        part = stream.recv(min(size, 65536))
        if not part:
            raise SystemExit("it ended early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def echo(context, plain):
    try:
        with context.wrap_socket(plain, server_side=True) as stream:
            while True:
                part = stream.recv(65536)
                if not part:
                    stream.unwrap()
                    return
                stream.sendall(part)
    except OSError:
        pass


def serve(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=echo, args=(context, plain), daemon=True).start()


def ask(ca, ports):
    context = ssl.create_default_context(cafile=ca)
    message = bytes(i % 251 for i in range(SIZE))
    for port in ports:
        plain = socket.create_connection(("localhost", int(port)))
        with context.wrap_socket(plain, server_hostname="localhost") as stream:
            threading.Thread(target=stream.sendall, args=(message,)).start()
            if read(stream, SIZE) != message:
                raise SystemExit("it came back as something else")
            print(stream.version(), flush=True)


if sys.argv[1] == "server":
    serve(*sys.argv[2:])
else:
    ask(sys.argv[2], sys.argv[3:])
