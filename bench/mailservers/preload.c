/* Loaded into a server that is measured (LD_PRELOAD).
 *
 * BENCH_SYNC_US: each fsync and fdatasync takes so many microseconds longer, as on a disk that has to do it.
 * BENCH_BACKLOG: what listen() asks for at least. OpenSMTPD's 5 drops most of 50 connections that come at once,
 * and its clients then wait for seconds.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static void wait_longer(void)
{
    static long microseconds = -1;
    if (microseconds < 0)
        microseconds = number("BENCH_SYNC_US");
    struct timespec rest = {microseconds / 1000000, microseconds % 1000000 * 1000};
    while (microseconds && nanosleep(&rest, &rest) != 0)
        ;
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    int done = real(fd);
    wait_longer();
    return done;
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int done = real(fd);
    wait_longer();
    return done;
}

int listen(int fd, int backlog)
{
    int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "listen");
    long least = number("BENCH_BACKLOG");
    return real(fd, backlog < least ? (int)least : backlog);
}
