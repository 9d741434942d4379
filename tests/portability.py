"""What the service may use of the modules that differ between systems.

The README promises Linux and macOS. ``PORTABLE`` has what both have, as far as the service uses it;
``LINUX_ONLY`` what Python's documentation, or macOS' headers, know of Linux alone.
"""

LINUX_PATHS = ("/proc", "/sys", "/dev/shm")

PORTABLE: dict[str, frozenset[str]] = {
    "os": frozenset(
        {
            *("DirEntry", "O_CLOEXEC", "O_CREAT", "O_EXCL", "O_NONBLOCK", "O_RDONLY", "O_RDWR"),
            *(
                "O_WRONLY",
                "W_OK",
                "_exit",
                "access",
                "close",
                "cpu_count",
                "devnull",
                "dup",
                "dup2",
            ),
            "environ",
            *("execve", "execvp"),
            *(
                "fchmod",
                "fchown",
                "fdopen",
                "fsencode",
                "fstat",
                "fstatvfs",
                "fsync",
                "getpid",
                "getppid",
                "kill",
            ),
            *(
                "listdir",
                "lstat",
                "open",
                "path",
                "pwrite",
                "read",
                "register_at_fork",
                "scandir",
                "stat_result",
                "sysconf",
                "utime",
                "write",
            ),
        }
    ),
    "select": frozenset(),
    "signal": frozenset(
        {
            *("SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIG_BLOCK", "SIG_DFL", "SIG_UNBLOCK"),
            *("default_int_handler", "getsignal", "pthread_sigmask", "signal"),
        }
    ),
    "socket": frozenset(
        {
            *("AF_INET", "AF_INET6", "IPPROTO_TCP", "SHUT_RDWR", "SOCK_STREAM", "SOL_SOCKET"),
            *("SO_REUSEADDR", "TCP_NODELAY", "gaierror", "gethostname", "socket"),
        }
    ),
    "fcntl": frozenset({"LOCK_EX", "LOCK_NB", "LOCK_SH", "flock"}),
    "mmap": frozenset({"mmap"}),
    "resource": frozenset(
        {"RLIMIT_NOFILE", "RLIM_INFINITY", "getpagesize", "getrlimit", "setrlimit"}
    ),
    "time": frozenset(
        {
            *(
                "clock_gettime",
                "monotonic",
                "monotonic_ns",
                "perf_counter",
                "process_time",
                "sleep",
            ),
            *("thread_time", "time", "time_ns"),
        }
    ),
}

LINUX_ONLY: dict[str, frozenset[str]] = {
    "select": frozenset({"POLLRDHUP", "POLLMSG", "epoll"}),
    "os": frozenset(
        {
            *("posix_fallocate", "posix_fadvise", "fdatasync", "memfd_create", "pipe2"),
            *("sched_getaffinity", "sched_setaffinity", "sched_getscheduler", "sched_setscheduler"),
            *("sched_getparam", "sched_setparam", "sched_rr_get_interval", "sched_param"),
            *("eventfd", "eventfd_read", "eventfd_write", "pidfd_open", "getrandom", "splice"),
            *("copy_file_range", "getxattr", "setxattr", "listxattr", "removexattr"),
            *("getresuid", "getresgid", "setresuid", "setresgid", "O_DIRECT", "O_TMPFILE"),
            *("O_PATH", "O_NOATIME", "O_LARGEFILE", "O_RSYNC", "RWF_NOWAIT", "RWF_HIPRI"),
            *("RWF_APPEND", "RWF_DSYNC", "RWF_SYNC", "setns", "unshare"),
        }
    ),
    "signal": frozenset(
        {
            *("sigtimedwait", "sigwaitinfo", "pidfd_send_signal", "SIGPWR", "SIGSTKFLT"),
            *("SIGPOLL", "SIGCLD", "SIGRTMIN", "SIGRTMAX"),
        }
    ),
    "socket": frozenset(
        {
            *("SOCK_CLOEXEC", "SOCK_NONBLOCK", "SO_PEERCRED", "SO_PASSCRED", "SO_DOMAIN"),
            *("SO_PROTOCOL", "SO_INCOMING_CPU", "SO_MARK", "SO_PRIORITY", "SO_BINDTODEVICE"),
            *("TCP_CORK", "TCP_DEFER_ACCEPT", "TCP_INFO", "TCP_KEEPIDLE", "TCP_LINGER2"),
            *("TCP_QUICKACK", "TCP_SYNCNT", "TCP_USER_TIMEOUT", "TCP_WINDOW_CLAMP"),
            *("TCP_CONGESTION", "MSG_CMSG_CLOEXEC", "MSG_CONFIRM", "MSG_ERRQUEUE", "MSG_MORE"),
            *("AF_NETLINK", "AF_PACKET", "AF_ALG", "AF_VSOCK"),
        }
    ),
    "fcntl": frozenset(
        {
            *("F_OFD_GETLK", "F_OFD_SETLK", "F_OFD_SETLKW", "F_ADD_SEALS", "F_GET_SEALS"),
            *("F_GETPIPE_SZ", "F_SETPIPE_SZ", "F_NOTIFY", "F_SETLEASE", "F_GETLEASE"),
            *("F_SETSIG", "F_GETSIG"),
        }
    ),
    "mmap": frozenset({"MAP_POPULATE", "MAP_LOCKED", "MAP_STACK", "MAP_DENYWRITE", "MADV_REMOVE"}),
    "resource": frozenset(
        {
            *("prlimit", "RUSAGE_THREAD", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO"),
            *("RLIMIT_RTTIME", "RLIMIT_SIGPENDING"),
        }
    ),
    "time": frozenset({"CLOCK_BOOTTIME", "CLOCK_TAI", "pthread_getcpuclockid"}),
}
