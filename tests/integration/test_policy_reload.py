"""A reload with a policy: its tests run first, a message keeps its own."""

import signal

from lib.client import message

ONE = 'on("rcpt", function(rcpt) return reject(550, "5.7.1", "%s") end)\n'
FAILING = ('\ntest("never", function(t)\n'
           '  t:eq(1, 2)\nend)\n')


def test_a_policy_whose_test_fails_is_not_taken(relay, sink):
    server = relay(sink.port)
    path = server.add_file("policy.lua", ONE % "first")
    server.write_config({"policy": {"file": path}})
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2")
    server.add_file("policy.lua", ONE % "second" + FAILING)
    server.signal(signal.SIGHUP)
    server.wait_log(r'policy\.lua:4: it is 1, not 2 \(test "never"\)')
    with server.client() as client:
        client.start()
        client.mail("a@b.test")
        assert "first" in str(client.cmd("RCPT TO:<c@d.test>"))


def test_a_message_keeps_the_policy_of_its_beginning(relay, sink):
    server = relay(sink.port)
    text = ('on("mail", function(msg) msg:note("by", "%s") end)\n'
            'on("message", function(msg)\n'
            '  msg:add_header("X-Policy", "%s")\nend)\n')
    path = server.add_file("policy.lua", text % ("old", "old"))
    server.write_config({"policy": {"file": path}})
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2")
    with server.client() as client:
        client.start()
        client.mail("a@b.test", "c@d.test")
        server.add_file("policy.lua", text % ("new", "new"))
        server.signal(signal.SIGHUP)
        server.wait_log("configuration 3")
        client.data(message())
        client.quit()
    server.wait_empty()
    with server.client() as client:
        client.start()
        client.deliver("a@b.test", ["c@d.test"], message())
        client.quit()
    server.wait_empty()
    first, second = sink.messages
    assert b"X-Policy: old" in first.data
    assert b"X-Policy: new" in second.data
