/* What a static executable must not reach for: in libc these load libraries of whatever libc the node has, to find
 * hosts, services, users and groups. `sriov` needs none of it, so each fails at once, as where nothing is found.
 * With dlopen gone nothing at all can be loaded into the process. The build lets libpython's objects call these by the
 * names of libc's (picture.py).
 */
#include <errno.h>
#include <grp.h>
#include <math.h>
#include <netdb.h>
#include <stddef.h>
#include <sys/types.h>

void *cni_dlopen(const char *path, int flags);
void *cni_dlsym(void *library, const char *name);
char *cni_dlerror(void);
int cni_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found);
int cni_getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size, char *service,
                    socklen_t service_size, int flags);
int cni_gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t size, struct hostent **found,
                        int *error);
int cni_gethostbyaddr_r(const void *address, socklen_t length, int kind, struct hostent *host, char *buffer,
                        size_t size, struct hostent **found, int *error);
struct servent *cni_getservbyname(const char *name, const char *protocol);
struct servent *cni_getservbyport(int port, const char *protocol);
struct protoent *cni_getprotobyname(const char *name);
int cni_getgrouplist(const char *user, gid_t group, gid_t *groups, int *count);
int cni_initgroups(const char *user, gid_t group);
void cni_freeaddrinfo(struct addrinfo *found);
int cni___isoc99_sscanf(const char *text, const char *format, ...);
double cni_atan2(double y, double x);
double cni_hypot(double x, double y);
void cni_sincos(double x, double *sine, double *cosine);

void *
cni_dlopen(const char *path, int flags)
{
    (void)path, (void)flags;
    return NULL;
}

void *
cni_dlsym(void *library, const char *name)
{
    (void)library, (void)name;
    return NULL;
}

char *
cni_dlerror(void)
{
    static char why[] = "a static executable loads no libraries";
    return why;
}

int
cni_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    (void)host, (void)service, (void)hints, (void)found;
    return EAI_FAIL;
}

void
cni_freeaddrinfo(struct addrinfo *found)
{
    (void)found;                        /* none was ever found */
}

int
cni_getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size, char *service,
                socklen_t service_size, int flags)
{
    (void)address, (void)length, (void)host, (void)host_size, (void)service, (void)service_size, (void)flags;
    return EAI_FAIL;
}

int
cni_gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t size, struct hostent **found,
                    int *error)
{
    (void)name, (void)host, (void)buffer, (void)size;
    *found = NULL;
    *error = NO_RECOVERY;
    return ENOENT;
}

int
cni_gethostbyaddr_r(const void *address, socklen_t length, int kind, struct hostent *host, char *buffer, size_t size,
                    struct hostent **found, int *error)
{
    (void)address, (void)length, (void)kind, (void)host, (void)buffer, (void)size;
    *found = NULL;
    *error = NO_RECOVERY;
    return ENOENT;
}

struct servent *
cni_getservbyname(const char *name, const char *protocol)
{
    (void)name, (void)protocol;
    return NULL;
}

struct servent *
cni_getservbyport(int port, const char *protocol)
{
    (void)port, (void)protocol;
    return NULL;
}

struct protoent *
cni_getprotobyname(const char *name)
{
    (void)name;
    return NULL;
}

int
cni_getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
{
    (void)user, (void)group, (void)groups, (void)count;
    errno = ENOSYS;
    return -1;
}

int
cni_initgroups(const char *user, gid_t group)
{
    (void)user, (void)group;
    errno = ENOSYS;
    return -1;
}

/* -- what would only be large: 0.1 MB ------------------------------------------------------------------------------ */

/* Python's sockets read addresses of Bluetooth with it. */
int
cni___isoc99_sscanf(const char *text, const char *format, ...)
{
    (void)text, (void)format;
    return 0;
}

/* Of complex numbers alone: whoever computes with them gets an exception. */
static double
no_number(void)
{
    errno = EDOM;
    return HUGE_VAL;
}

double
cni_atan2(double y, double x)
{
    (void)y, (void)x;
    return no_number();
}

double
cni_hypot(double x, double y)
{
    (void)x, (void)y;
    return no_number();
}

void
cni_sincos(double x, double *sine, double *cosine)
{
    (void)x;
    *sine = *cosine = no_number();
}
