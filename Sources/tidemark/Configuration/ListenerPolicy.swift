internal import CommandLineOptions

/// Decides whether the listeners of a configuration are safe to open.
enum ListenerPolicy {
    /// Nobody is asked for a token yet, so whoever reaches a listener can read and write every
    /// database. Reachable from other machines it must be wanted in so many words.
    static func check(_ configuration: ServeConfiguration) throws(CommandFailure) {
        let listeners =
            [("listen", configuration.listen)]
            + (configuration.adminListen.map { [("admin-listen", $0)] } ?? [])
        if !configuration.isInsecureWithoutAuthentication,
            let (name, address) = listeners.first(where: { !$0.1.isLoopback })
        {
            throw CommandFailure(
                .configuration,
                """
                refusing to start: \(name) is \(address.optionText), which other machines can \
                reach, and this version authenticates nobody: whoever connects could read and \
                change every database
                """,
                hint: """
                    Listen on 127.0.0.1, behind a proxy that authenticates; or accept the risk \
                    with --insecure-no-auth.
                    """)
        }
        if let admin = configuration.adminListen, admin == configuration.listen, admin.port != 0 {
            throw CommandFailure(
                .configuration,
                "listen and admin-listen are both \(admin.optionText); they need a port each")
        }
    }
}
