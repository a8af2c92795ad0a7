internal import CommandLineOptions

/// `tidemark version`.
enum VersionCommand {
    struct Settings: Sendable {
        var showsLibraries = false
    }

    static let command = Command.leaf(
        "version", "Show the version",
        OptionTable(
            defaults: Settings(),
            options: [
                .flag(
                    "libraries", \.showsLibraries,
                    "Also show the versions of the libraries in use"
                ).scoped(.commandLine, short: "v")
            ])
    ) { resolution, context in
        var text = "tidemark \(Version.text)\n"
        if resolution.settings.showsLibraries {
            for library in LibraryVersions.all { text += "\(library.name) \(library.version)\n" }
        }
        context.console.writeOutput(text)
        return ExitCode.success.rawValue
    }
}
