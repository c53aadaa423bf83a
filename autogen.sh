#!/bin/sh
# Makes configure and Makefile.in. Run it in a fresh clone, and again after a
# change to configure.ac or to a Makefile.am or Makefile.inc.
set -eu

cd "$(dirname "$0")"
for tool in autoreconf:autoconf automake:automake libtoolize:libtool \
	pkg-config:pkg-config; do
	command -v "${tool%:*}" >/dev/null || {
		echo "autogen.sh: ${tool%:*} is missing:" \
			"apt-get install ${tool#*:}" >&2
		exit 1
	}
done
mkdir -p build-aux
exec autoreconf --install
