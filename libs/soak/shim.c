/* What of a file a loss of power would leave: preloaded into redis-server, this writes down how long each file was when it was last
   known to be on the disk. power.py cuts the files to that after a kill -9.

   Files go by inode, so a rename keeps what is known of them, as the rewrite of the append-only file needs. A record is
   {inode, length}, the last one of an inode counts. It is written before fsync returns to Redis, so before any client is answered.
   A kill doesn't lose it: the kernel has it. sync_file_range is no promise of the disk's, and isn't counted. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int journal = -1;

__attribute__((constructor)) static void begin(void) {
  journal = open(getenv("SOAK_JOURNAL"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (journal < 0) abort();
}

static void note(const struct stat *file, uint64_t length) {
  uint64_t record[2] = {file->st_ino, length};
  if (S_ISREG(file->st_mode) && write(journal, record, sizeof record) != sizeof record) abort();
}

/* The length from before the call: another thread may write while the disk is waited for. */
static int synced(long call, int fd) {
  struct stat file;
  int known = fstat(fd, &file) == 0, result = syscall(call, fd);
  if (result == 0 && known) note(&file, file.st_size);
  return result;
}

int fsync(int fd) { return synced(SYS_fsync, fd); }
int fdatasync(int fd) { return synced(SYS_fdatasync, fd); }

/* Of a new file nothing is on the disk, whatever was known of a deleted one that had its inode. */
int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int fd = syscall(SYS_openat, AT_FDCWD, path, flags, flags & O_CREAT ? va_arg(more, int) : 0);
  va_end(more);
  struct stat file;
  if (fd >= 0 && flags & O_CREAT && fstat(fd, &file) == 0 && file.st_size == 0) note(&file, 0);
  return fd;
}
