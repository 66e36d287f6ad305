"""A mail server that is not ours (aiosmtpd), for one test: every mail that it takes is a line of JSON on standard output.

usage: server.py PORT plain|starttls|implicit [CERT KEY]; it ends with its standard input.
"""

import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class Take:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone@"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        # aiosmtpd notes TLS in the session for STARTTLS only; on an implicit port nobody gets this far without it.
        tls = mode == "implicit" or session.ssl is not None
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "mail": envelope.content.decode("utf-8"), "tls": tls}
        print(json.dumps(mail), flush=True)
        return "250 taken"


def known(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"countersign", b"hunter2")
    return AuthResult(success=right, handled=False)


port, mode = int(sys.argv[1]), sys.argv[2]
options = {}
if mode != "plain":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    if mode == "starttls":
        options = {"tls_context": context, "require_starttls": True, "authenticator": known, "auth_required": True}
    else:
        options = {"ssl_context": context}
controller = Controller(Take(), hostname="127.0.0.1", port=port, server_hostname="localhost", **options)
controller.start()
print("ready", flush=True)
sys.stdin.read()
controller.stop()
