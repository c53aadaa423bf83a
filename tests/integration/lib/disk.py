"""A file system in memory that a test can fill to the last byte."""

import os
import shutil

from . import base


class SmallDisk:
    def __init__(self, size):
        self.place = base.private_dir("tmpfs")
        base.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=" + size,
                  "none", self.place])

    def spool(self):
        path = os.path.join(self.place, "spool")
        os.makedirs(path, exist_ok=True)
        return path

    def fill(self, pages=None):
        """Take so many pages of 4 KB, or leave nothing free."""
        file = os.open(os.path.join(self.place, "ballast"),
                       os.O_WRONLY | os.O_CREAT)
        try:
            while pages is None or pages > 0:
                os.write(file, b"x" * 4096)
                pages = None if pages is None else pages - 1
        except OSError:
            pass
        os.close(file)

    def free(self):
        os.unlink(os.path.join(self.place, "ballast"))

    def close(self):
        base.run(["umount", "-l", self.place], check=False)
        shutil.rmtree(self.place, ignore_errors=True)
