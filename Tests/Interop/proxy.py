"""A TCP proxy that can cut answers, between the real client and the server."""

import socket
import struct
import threading


class CuttingProxy:
    """Forwards one request a connection; a client that would keep its own is told to open another.

    `cut` is asked for each request, with its path and its body, how many bytes of the answer to
    let through; None lets everything through. A cut connection is reset, after the server's whole
    answer has arrived here: so the server did the work, and the client does not know it.
    Requests for which `lose` is true never reach the server, and their connections are reset.

    `give_up` is asked the same before the answer is read: it is read that far and no further, and
    both connections are reset. Of a large answer, the server then could not send the end.
    """

    # So little of an answer waits unread in the connection from the server.
    UNREAD_BYTES = 4096

    def __init__(self, target):
        host, _, port = target.partition(":")
        self.target = (host, int(port))
        self.cut = lambda path, body: None
        self.lose = lambda path, body: False
        self.give_up = lambda path, body: None
        self.cuts_made = 0
        self.paths = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.threads = []
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def close(self):
        # A thread blocked in accept() is woken by shutdown(), not by close().
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.accepting.join(10)
        for thread in self.threads:
            thread.join(10)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, client):
        try:
            with client, socket.socket() as server:
                client.settimeout(60)
                head, body = self._read_request(client)
                path = head.split(b" ", 2)[1].decode()
                self.paths.append(path)
                if self.lose(path, body):
                    self._reset(client)
                    return
                stop = self.give_up(path, body)
                self._connect(server, is_slow=stop is not None)
                server.sendall(head + body)
                answer = bytearray()
                while stop is None or len(answer) < stop:
                    if not (chunk := server.recv(65536)):
                        break
                    answer += chunk
                limit = self.cut(path, body) if stop is None else stop
                if limit is None:
                    client.sendall(answer)
                    return
                client.sendall(answer[:limit])
                self._reset(client, server)
        except OSError:
            pass  # Either end went away: the other one sees its connection close.

    def _connect(self, server, is_slow):
        if is_slow:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.UNREAD_BYTES)
        server.settimeout(60)
        server.connect(self.target)

    def _reset(self, *connections):
        self.cuts_made += 1
        # Linger of zero seconds: the close becomes a reset.
        for each in connections:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @staticmethod
    def _read_request(client):
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = client.recv(65536)
            if not chunk:
                raise OSError("the request ended inside its head")
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        if b"connection" not in fields:
            head += b"\r\nConnection: close"
        size = int(fields.get(b"content-length", 0))
        body = bytearray(body)
        while len(body) < size:
            chunk = client.recv(65536)
            if not chunk:
                raise OSError("the request ended inside its body")
            body += chunk
        return head + b"\r\n\r\n", bytes(body)
