"""Sending with swaks, the administrators' test client."""

from . import base


def send(port, sender="a@client.test", to="b@next.test", *options, data=None,
         check=True):
    """Returns the finished run; its text is the transcript."""
    args = ["swaks", "--server", "127.0.0.1:%d" % port, "--from", sender,
            "--to", to, "--helo", "swaks.test", "--timeout",
            "%ds" % base.PATIENCE] + list(options)
    if data is not None:
        args += ["--data", "@-"]
    return base.run(args, check=check, input=data)
