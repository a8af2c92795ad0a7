/// `tidemark serve`.
enum ServeCommand {
    static let command = Command.leaf(
        "serve", "Serve the databases of a data directory to sync clients",
        details: """
            Each option NAME can also be set in the environment (TIDEMARK_NAME, with '-' as '_')
            or as a key of the configuration file. The command line wins over the environment,
            which wins over the file.

            When the server is ready, one line goes to standard output:
            'ready http=HOST:PORT admin=HOST:PORT'. The log goes to standard error. SIGTERM or
            SIGINT lets running requests finish; a second one ends the process at once.
            """,
        ServeOptions.table
    ) { resolution, context in
        try ListenerPolicy.check(resolution.settings)
        return try context.serve(resolution.settings)
    }

    /// The line that tells a supervisor or a test that both listeners are open, and where.
    static func readyLine(http: ListenAddress, admin: ListenAddress?) -> String {
        "ready http=\(http.optionText) admin=\(admin?.optionText ?? "none")\n"
    }
}
