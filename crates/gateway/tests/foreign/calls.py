"""A server and a client of gRPC that are not ours (grpcio): `calls.py server`, `calls.py client PORT CERTIFICATE`.

The client reads a call a line, {"path", "metadata", "say"}, and writes a line for each reply and one for the end."""
import concurrent.futures, json, sys, time
import grpc


def plain(x):
    return x


def say(**line):
    print(json.dumps(line), flush=True)


class Bank(grpc.GenericRpcHandler):
    def service(self, details):
        name = details.method.rsplit("/", 1)[1]
        if name == "Get":
            return grpc.unary_unary_rpc_method_handler(self.get, plain, plain)
        if name == "Talk":
            return grpc.stream_stream_rpc_method_handler(self.talk, plain, plain)
        if name == "Quiet":
            return grpc.unary_stream_rpc_method_handler(self.quiet, plain, plain)
        return None

    def get(self, request, context):
        context.set_trailing_metadata((("x-user", dict(context.invocation_metadata()).get("countersign-user", "-")),))
        return request

    def talk(self, requests, context):
        for request in requests:
            yield request

    def quiet(self, request, context):
        while context.is_active():
            time.sleep(0.05)
        return
        yield


def serve():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), handlers=(Bank(),))
    say(port=server.add_insecure_port("127.0.0.1:0"))
    server.start()
    sys.stdin.read()


def client(port, certificate):
    trust = grpc.ssl_channel_credentials(open(certificate, "rb").read())
    channel = grpc.secure_channel(f"127.0.0.1:{port}", trust, (("grpc.ssl_target_name_override", "api.example.com"),))
    for line in sys.stdin:
        ask = json.loads(line)
        metadata = [tuple(pair) for pair in ask["metadata"]]
        if ask["path"].endswith("/Get"):
            try:
                reply, call = channel.unary_unary(ask["path"], plain, plain).with_call(ask["say"].encode(), metadata=metadata, timeout=20)
                say(reply=reply.decode())
            except grpc.RpcError as error:
                call = error
        else:
            def messages():
                yield ask["say"].encode()
                time.sleep(20)
            method = channel.stream_stream if ask["path"].endswith("/Talk") else channel.unary_stream
            call = method(ask["path"], plain, plain)(messages() if ask["path"].endswith("/Talk") else b"", metadata=metadata, timeout=20)
            try:
                for reply in call:
                    say(reply=reply.decode())
            except grpc.RpcError:
                pass
        trailing = {key: value for key, value in call.trailing_metadata() or () if isinstance(value, str)}
        say(code=call.code().value[0], details=call.details(), trailing=trailing)


if sys.argv[1] == "server":
    serve()
else:
    client(*sys.argv[2:])
