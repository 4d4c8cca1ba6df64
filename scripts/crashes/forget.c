/*
 * A disk with a cache that power failures empty: preloaded into a process, it notes the old bytes of every write to the
 * files below FORGET_FOLDER, and drops the note when the file is synced.  What is noted when the process is
 * killed was never synced; forgetting.py puts the old bytes back.
 *
 * Notes of a file lie in FORGET_NOTES, named by its inode: records of {offset, old size, length} and the old
 * bytes, to be undone from the last to the first.  It does not follow memory maps: SQLite maps only its -shm file, which
 * it makes anew after a crash.  It does not follow folders: that a file was made, renamed or removed is not forgotten.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct note {
    int64_t offset, size, length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int is_ours(int file, struct stat *about) {
    const char *folder = getenv("FORGET_FOLDER");
    char link[64], path[4096];
    if (folder == NULL || fstat(file, about) != 0 || !S_ISREG(about->st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

static int open_notes(const struct stat *about, int flags) {
    char path[4096];
    const char *folder = getenv("FORGET_NOTES");
    if (folder == NULL) return -1;
    snprintf(path, sizeof path, "%s/%llu", folder, (unsigned long long)about->st_ino);
    return open(path, flags | O_CREAT | O_CLOEXEC, 0600);
}

/* Note what stands between offset and offset + length, as far as the file goes. */
static void note_old(int file, const struct stat *about, int64_t offset, int64_t length) {
    static ssize_t (*real_write)(int, const void *, size_t);
    if (real_write == NULL) real_write = dlsym(RTLD_NEXT, "write");
    int64_t there = about->st_size > offset ? about->st_size - offset : 0;
    struct note head = {offset, about->st_size, there < length ? there : length};
    char *record = malloc(sizeof head + head.length);
    memcpy(record, &head, sizeof head);
    int64_t got = 0;
    while (got < head.length) {
        ssize_t part = pread(file, record + sizeof head + got, head.length - got, offset + got);
        if (part <= 0) abort();
        got += part;
    }
    int notes = open_notes(about, O_WRONLY | O_APPEND);
    /* The limit that plays a full disk is not meant for the notes; under the lock no write of ours meets the gap. */
    struct rlimit limit, none;
    getrlimit(RLIMIT_FSIZE, &limit);
    none = (struct rlimit){limit.rlim_max, limit.rlim_max};
    if (limit.rlim_cur != limit.rlim_max) setrlimit(RLIMIT_FSIZE, &none);
    /* One write, so that a kill leaves a whole record or none. */
    if (notes < 0 || real_write(notes, record, sizeof head + head.length) != (ssize_t)sizeof head + head.length) abort();
    if (limit.rlim_cur != limit.rlim_max) setrlimit(RLIMIT_FSIZE, &limit);
    close(notes);
    free(record);
}

static ssize_t written(const char *name, int file, const void *data, size_t length, int64_t offset) {
    ssize_t (*real)(int, const void *, size_t, int64_t) = dlsym(RTLD_NEXT, name);
    struct stat about;
    pthread_mutex_lock(&lock);
    if (is_ours(file, &about)) note_old(file, &about, offset, (int64_t)length);
    ssize_t result = real(file, data, length, offset);
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t pwrite(int file, const void *data, size_t length, off_t offset) {
    return written("pwrite", file, data, length, offset);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
    return written("pwrite64", file, data, length, offset);
}

static int cut(const char *name, int file, int64_t size) {
    int (*real)(int, int64_t) = dlsym(RTLD_NEXT, name);
    struct stat about;
    pthread_mutex_lock(&lock);
    if (is_ours(file, &about)) note_old(file, &about, size, about.st_size > size ? about.st_size - size : 0);
    int result = real(file, size);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int file, off_t size) { return cut("ftruncate", file, size); }

int ftruncate64(int file, off64_t size) { return cut("ftruncate64", file, size); }

static int synced(const char *name, int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    struct stat about;
    pthread_mutex_lock(&lock);
    int result = real(file);
    if (result == 0 && is_ours(file, &about)) {
        int notes = open_notes(&about, O_WRONLY | O_TRUNC);
        if (notes >= 0) close(notes);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int file) { return synced("fsync", file); }

int fdatasync(int file) { return synced("fdatasync", file); }
