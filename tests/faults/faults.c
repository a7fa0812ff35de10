/* What a disk and a clock may do to a program, on request: loaded into a broker by LD_PRELOAD.
 *
 * FAULTS names a directory.  While a file of one of these names is in it, calls on files whose path contains the file's
 * text (without its last line end) go wrong:
 *
 *     sync-eio    fsync and fdatasync fail with EIO
 *     write-eio   write, pwrite and pwritev fail with EIO
 *     read-eio    pread fails with EIO
 *     hold-sync   fsync and fdatasync don't return before the file is taken away; `held-sync` is there meanwhile
 *
 * and `clock` holds by how many seconds the wall clock is wrong.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 4096

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int place(const char *name, char *path)
{
    const char *directory = getenv("FAULTS");
    return directory != NULL && snprintf(path, PATH_BYTES, "%s/%s", directory, name) < PATH_BYTES;
}

/* The text of a request; -1 where there is none. */
static ssize_t requested(const char *name, char *text)
{
    char path[PATH_BYTES];
    int descriptor, kept = errno;
    ssize_t size;
    if (!place(name, path) || (descriptor = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
        errno = kept;
        return -1;
    }
    size = REAL(read)(descriptor, text, PATH_BYTES - 1);
    close(descriptor);
    errno = kept;
    if (size < 0)
        return -1;
    if (size > 0 && text[size - 1] == '\n')
        size--;
    text[size] = 0;
    return size;
}

static int concerns(const char *name, int descriptor)
{
    char text[PATH_BYTES], link[64], path[PATH_BYTES];
    ssize_t size;
    if (requested(name, text) < 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    size = readlink(link, path, sizeof path - 1);
    if (size < 0)
        return 0;
    path[size] = 0;
    return strstr(path, text) != NULL;
}

static int fails(const char *name, int descriptor)
{
    if (!concerns(name, descriptor))
        return 0;
    errno = EIO;
    return 1;
}

static void hold(int descriptor)
{
    char path[PATH_BYTES];
    struct timespec pause = {0, 2000000};
    if (!concerns("hold-sync", descriptor) || !place("held-sync", path))
        return;
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    while (concerns("hold-sync", descriptor))
        nanosleep(&pause, NULL);
    unlink(path);
}

int fsync(int descriptor)
{
    hold(descriptor);
    return fails("sync-eio", descriptor) ? -1 : REAL(fsync)(descriptor);
}

int fdatasync(int descriptor)
{
    hold(descriptor);
    return fails("sync-eio", descriptor) ? -1 : REAL(fdatasync)(descriptor);
}

ssize_t write(int descriptor, const void *data, size_t size)
{
    return fails("write-eio", descriptor) ? -1 : REAL(write)(descriptor, data, size);
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset)
{
    return fails("write-eio", descriptor) ? -1 : REAL(pwrite64)(descriptor, data, size, offset);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset)
{
    return pwrite64(descriptor, data, size, offset);
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t offset)
{
    return fails("write-eio", descriptor) ? -1 : REAL(pwritev64)(descriptor, parts, count, offset);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset)
{
    return pwritev64(descriptor, parts, count, offset);
}

ssize_t pread64(int descriptor, void *data, size_t size, off64_t offset)
{
    return fails("read-eio", descriptor) ? -1 : REAL(pread64)(descriptor, data, size, offset);
}

ssize_t pread(int descriptor, void *data, size_t size, off_t offset)
{
    return pread64(descriptor, data, size, offset);
}

/* How wrong the wall clock is, in seconds. */
static time_t wrong(void)
{
    char text[PATH_BYTES];
    return requested("clock", text) < 0 ? 0 : (time_t)atoll(text);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = REAL(clock_gettime)(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += wrong();
    return result;
}

time_t time(time_t *place_of_it)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place_of_it != NULL)
        *place_of_it = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int result = REAL(gettimeofday)(now, zone);
    if (result == 0)
        now->tv_sec += wrong();
    return result;
}
