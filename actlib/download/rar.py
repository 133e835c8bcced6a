"""RAR, which only programs outside Python unpack: which of them there is, and what one run of it prints."""

import io
import shutil
import subprocess
import zlib
from pathlib import Path

from actlib.download.disk import ArchiveError, DamagedArchiveError

RAR_TOOLS = (  # each prints the content of all members
    ("unrar", "p", "-inul", "-p-", "--"),
    ("unar", "-quiet", "-output-directory", "-"),
    ("7zz", "e", "-so", "-bd", "-p-", "--"),
    ("7z", "e", "-so", "-bd", "-p-", "--"),
    ("bsdtar", "-xOf"),
)
INSTALL_RAR = (
    "Install one: 'sudo apt install unar' (Debian, Ubuntu), 'sudo dnf install unar' (Fedora), 'brew install unar' "
    "(macOS), or unrar, 7-Zip (Windows) or bsdtar; it has to be on PATH"
)


class RarPipe:
    """All members of a RAR, one after another, out of one run of an unpacking tool; they are read in the same order.

    One run serves all, because a member of a solid archive needs those before it. A tool that gives wrong bytes (7z
    without its RAR part, bsdtar on an old archive) gives way to the next.
    """

    def __init__(self, source, members):
        """Starts nothing yet.

        Args:
            source: the archive.
            members: all its members, each with `name`, `size` and `crc`, in the order they lie in.
        """
        self.source, self.members = Path(source).absolute(), members
        self.tools = [tool for tool in RAR_TOOLS if shutil.which(tool[0])]
        self.process, self.next = None, 0

    def read(self, member):
        """Reads one member into memory.

        Args:
            member: one of the members.

        Returns:
            An open binary file.

        Raises:
            ArchiveError: there is no tool; how to install one.
            DamagedArchiveError: no tool gives what the archive promises.
        """
        if not self.tools:
            raise ArchiveError(f"Expected a tool that unpacks {self.source}. Received: none. {INSTALL_RAR}.")
        while True:
            content = self._read(self.members.index(member), self.tools[0])
            if len(content) == member.size and member.crc in (None, zlib.crc32(content)):
                return io.BytesIO(content)
            self.close()
            if len(self.tools) == 1:
                cause = f"{self.tools[0][0]} unpacks {member.name} to other bytes than promised (another tool may do)"
                raise DamagedArchiveError(self.source, cause)
            self.tools.pop(0)

    def _read(self, index, tool):
        if self.process is None or index < self.next:
            self.close()
            command = [*tool, str(self.source)]
            self.process, self.next = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL), 0
        for skipped in self.members[self.next : index]:
            self.process.stdout.read(skipped.size)
        self.next = index + 1
        return self.process.stdout.read(self.members[index].size)

    def close(self):
        """Ends the tool's run."""
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None
