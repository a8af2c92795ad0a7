internal import Glibc

/// Starting another program.
enum Spawn {
    struct Failure: Error { let code: Int32 }

    /// Standard input is empty; every other descriptor of this process is closed in it.
    ///
    /// - Parameter standardError: path of a file that is made.
    static func run(
        _ arguments: [String], standardOutput: Int32, standardError: String
    ) -> Result<Int32, Failure> {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, standardOutput, 1)
        unsafe posix_spawn_file_actions_addopen(
            &actions, 2, standardError, O_WRONLY | O_CREAT | O_APPEND, 0o644)

        // SIGPIPE is ignored here, which a child would inherit.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        unsafe sigemptyset(&defaults)
        unsafe sigaddset(&defaults, SIGPIPE)
        unsafe sigaddset(&defaults, SIGINT)
        unsafe sigaddset(&defaults, SIGTERM)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        // A group of its own: an interrupt from the terminal comes to us, and we end the child.
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

        var identifier: pid_t = 0
        var texts = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { for index in unsafe texts.indices { unsafe free(texts[index]) } }
        let code = unsafe posix_spawn(
            &identifier, arguments[0], &actions, &attributes, &texts, environ)
        return code == 0 ? .success(identifier) : .failure(Failure(code: code))
    }
}
