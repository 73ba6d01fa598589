/* Preloaded into a process (LD_PRELOAD): its disk and its clock fail while the file that FAULTY_FILE names says so.
   Three int32 there: fsync fails with EIO · writing to regular files fails with ENOSPC · seconds the clock is ahead. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const volatile int32_t good[3] = {0, 0, 0};
static const volatile int32_t *now = good;

__attribute__((constructor)) static void look(void) {
    const char *path = getenv("FAULTY_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED) now = shared;
    close(file);
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int full(int file) {
    struct stat about;
    return now[1] && fstat(file, &about) == 0 && S_ISREG(about.st_mode);
}
#define NO_ROOM(file) if (full(file)) { errno = ENOSPC; return -1; }

ssize_t write(int file, const void *from, size_t count) { REAL(write); NO_ROOM(file) return real(file, from, count); }
ssize_t pwrite(int file, const void *from, size_t count, off_t at) { REAL(pwrite); NO_ROOM(file) return real(file, from, count, at); }
ssize_t pwrite64(int file, const void *from, size_t count, off64_t at) { REAL(pwrite64); NO_ROOM(file) return real(file, from, count, at); }
ssize_t writev(int file, const struct iovec *from, int count) { REAL(writev); NO_ROOM(file) return real(file, from, count); }
ssize_t pwritev(int file, const struct iovec *from, int count, off_t at) { REAL(pwritev); NO_ROOM(file) return real(file, from, count, at); }
ssize_t pwritev64(int file, const struct iovec *from, int count, off64_t at) { REAL(pwritev64); NO_ROOM(file) return real(file, from, count, at); }
int posix_fallocate(int file, off_t at, off_t count) { REAL(posix_fallocate); if (full(file)) return ENOSPC; return real(file, at, count); }

#define BROKEN if (now[0]) { errno = EIO; return -1; }
int fsync(int file) { REAL(fsync); BROKEN return real(file); }
int fdatasync(int file) { REAL(fdatasync); BROKEN return real(file); }

int clock_gettime(clockid_t which, struct timespec *at) {
    REAL(clock_gettime);
    int done = real(which, at);
    if (!done && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) at->tv_sec += now[2];
    return done;
}
int gettimeofday(struct timeval *at, void *zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int done = real(at, zone);
    if (!done) at->tv_sec += now[2];
    return done;
}
time_t time(time_t *at) {
    struct timespec read;
    clock_gettime(CLOCK_REALTIME, &read);
    if (at) *at = read.tv_sec;
    return read.tv_sec;
}
