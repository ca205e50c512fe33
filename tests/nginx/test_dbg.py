import time
from nginx.conftest import *
from nginx.stubs import *
def test_up(stack, desktop):
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    for size in (10, 1000, 10000,100000,3<<20):
        connection = stack.client.connect()
        connection.putrequest("POST", path_of(DESKTOP, "up"))
        connection.putheader("Cookie", signed_in(ALICE)[0][1])
        connection.putheader("Content-Length", str(2 * size))
        connection.endheaders()
        connection.send(b"x" * size)
        for i in range(2):
            time.sleep(.2); print(desktop.received, size, len(desktop.connections))
        connection.close(); desktop.received=0
    print((stack.places.pid.parent/'error.log').read_text())
    assert 0
