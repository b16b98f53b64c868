/* Fails the N-th write or sync below a directory: loaded before the C library (LD_PRELOAD).
 *
 * IO_FAULT_BELOW is the directory, IO_FAULT_KIND one of ENOSPC, EIO, SHORT, SYNC, COUNT,
 * IO_FAULT_N which call fails (counted in each process; writes for the first three, syncs for
 * SYNC), IO_FAULT_LOG a file outside the directory that hears of it. IO_FAULT_ROLE, where it is
 * set, must stand among the process's arguments. A SHORT write writes half, and the next one to
 * the same file finds the disk full. Nothing fails again once the log has said that it did.
 * The log: "failed CALL PATH"; "rewrote PATH" for a write to a descriptor on which a sync had
 * failed, which no later sync can be believed for; "total WRITES SYNCS" at the end.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define MOST 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long writes, syncs, wanted;
static int active = -1, done, full = -1;
static char unsynced[MOST];
static const char *below, *kind, *log_file;

static void say(const char *text)
{
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    int descriptor = open(log_file, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0644);
    if (descriptor >= 0) {
        if (real(descriptor, text, strlen(text)) < 0)
            _exit(99);
        close(descriptor);
    }
}

static int plays(const char *role)
{
    char line[8192];
    int descriptor = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = descriptor < 0 ? 0 : read(descriptor, line, sizeof line - 1);
    if (descriptor >= 0)
        close(descriptor);
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(line + at) + 1) {
        line[size] = 0;
        if (!strcmp(line + at, role))
            return 1;
    }
    return 0;
}

static int failed_before(void)
{
    char text[6] = "";
    int descriptor = open(log_file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return 0;
    ssize_t size = read(descriptor, text, 5);
    close(descriptor);
    return size == 5 && !memcmp(text, "faile", 5);
}

static void begin(void)
{
    const char *number = getenv("IO_FAULT_N"), *role = getenv("IO_FAULT_ROLE");
    below = getenv("IO_FAULT_BELOW");
    kind = getenv("IO_FAULT_KIND");
    log_file = getenv("IO_FAULT_LOG");
    active = below && kind && log_file && (!role || plays(role));
    wanted = number ? atol(number) : 0;
    done = active && failed_before();
}

static int ours(int descriptor, char *path, size_t room)
{
    char link[64];
    if (active < 0)
        begin();
    if (!active || descriptor < 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, room - 1);
    if (size <= 0)
        return 0;
    path[size] = 0;
    size_t length = strlen(below);
    return !strncmp(path, below, length) && path[length] == '/';
}

static void note(const char *what, const char *path)
{
    char text[4400];
    snprintf(text, sizeof text, "%s %s\n", what, path);
    say(text);
}

/* Return how many of size bytes are to be written; -1 with errno where the write fails. */
static ssize_t admitted(const char *call, int descriptor, size_t size)
{
    char path[4096];
    ssize_t allowed = (ssize_t)size;
    int saved = errno;
    pthread_mutex_lock(&lock);
    if (ours(descriptor, path, sizeof path)) {
        if (descriptor < MOST && unsynced[descriptor] && strncmp(call, "ftruncate", 9))
            note("rewrote", path);
        int here = ++writes == wanted && !done && strcmp(kind, "SYNC") && strcmp(kind, "COUNT");
        if (descriptor == full) {
            full = -1;
            allowed = -1;
            saved = ENOSPC;
        } else if (here) {
            char what[64];
            done = 1;
            snprintf(what, sizeof what, "failed %s", call);
            note(what, path);
            if (!strcmp(kind, "SHORT") && size > 1) {
                allowed = (ssize_t)(size / 2);
                full = descriptor;
            } else {
                allowed = -1;
                saved = strcmp(kind, "EIO") ? ENOSPC : EIO;
            }
        }
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
    return allowed;
}

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    ssize_t allowed = admitted("write", descriptor, size);
    return allowed < 0 ? -1 : real(descriptor, bytes, (size_t)allowed);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t at)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    ssize_t allowed = admitted("pwrite64", descriptor, size);
    return allowed < 0 ? -1 : real(descriptor, bytes, (size_t)allowed, at);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t at)
{
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    ssize_t allowed = admitted("pwrite", descriptor, size);
    return allowed < 0 ? -1 : real(descriptor, bytes, (size_t)allowed, at);
}

int ftruncate64(int descriptor, off64_t size)
{
    int (*real)(int, off64_t) = dlsym(RTLD_NEXT, "ftruncate64");
    return admitted("ftruncate64", descriptor, 1) < 0 ? -1 : real(descriptor, size);
}

int ftruncate(int descriptor, off_t size)
{
    int (*real)(int, off_t) = dlsym(RTLD_NEXT, "ftruncate");
    return admitted("ftruncate", descriptor, 1) < 0 ? -1 : real(descriptor, size);
}

static int synced(const char *call, int descriptor)
{
    char path[4096];
    int fails = 0, saved = errno;
    pthread_mutex_lock(&lock);
    if (ours(descriptor, path, sizeof path)) {
        fails = ++syncs == wanted && !done && !strcmp(kind, "SYNC");
        if (fails) {
            char what[64];
            done = 1;
            snprintf(what, sizeof what, "failed %s", call);
            note(what, path);
            if (descriptor < MOST)
                unsynced[descriptor] = 1;
            saved = EIO;
        }
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
    return fails ? -1 : 0;
}

int fsync(int descriptor)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    return synced("fsync", descriptor) ? -1 : real(descriptor);
}

int fdatasync(int descriptor)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    return synced("fdatasync", descriptor) ? -1 : real(descriptor);
}

int close(int descriptor)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    if (descriptor >= 0 && descriptor < MOST)
        unsynced[descriptor] = 0;
    if (descriptor == full)
        full = -1;
    return real(descriptor);
}

__attribute__((destructor)) static void end(void)
{
    char text[64];
    if (active <= 0 || strcmp(kind, "COUNT"))
        return;
    snprintf(text, sizeof text, "total %ld %ld\n", writes, syncs);
    say(text);
}
