#!/bin/sh
# nginx's own image runs this before nginx. Where that was killed, as for want of memory, its socket is
# still there, since /tmp outlives a container, and no nginx would ever start again.
rm -f /tmp/config.sock
