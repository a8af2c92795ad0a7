internal import Glibc

/// How many sockets and files this process may have open.
enum OpenFileLimit {
    /// Raises it as far as the system lets every process do that; a server started later has the
    /// same. Systems often begin with 1024.
    static func raise() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return
        }
        limit.rlim_cur = limit.rlim_max
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
