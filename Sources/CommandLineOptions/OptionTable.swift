/// The options of one command, and how their values are found: the command line wins over the
/// environment, which wins over the configuration file, which wins over the defaults.
package struct OptionTable<Settings: Sendable>: Sendable {
    /// From where the value of an option came.
    package enum Source: Equatable, Sendable {
        case configurationFile, environment, commandLine
    }

    package struct Resolution: Sendable {
        package var settings: Settings
        package let operands: [String]
        /// Options that hold their default are absent.
        package var sources: [String: Source] = [:]
    }

    package let defaults: Settings
    package let options: [OptionDefinition<Settings>]
    /// The option that names a configuration file, if there is one.
    package let configurationOption: String?

    package init(
        defaults: Settings, options: [OptionDefinition<Settings>],
        configurationOption: String? = nil
    ) {
        self.defaults = defaults
        self.options = options
        self.configurationOption = configurationOption
    }

    package var parser: ArgumentParser {
        ArgumentParser(
            options: options.map {
                .init(name: $0.name, shortName: $0.shortName, takesValue: $0.valueName != nil)
            })
    }

    /// - Parameter readFile: what the file at a path holds.
    package func resolve(
        _ parsed: ArgumentParser.Result, environment: [String: String],
        readFile: (String) throws(CommandFailure) -> ConfigurationFile
    ) throws(CommandFailure) -> Resolution {
        var resolution = Resolution(settings: defaults, operands: parsed.operands)
        if let path = configurationPath(parsed, environment) {
            try applyFile(try readFile(path), to: &resolution)
        }
        for option in options where option.scope != .commandLine {
            // An empty variable counts as unset: shells make it hard to tell the two apart.
            guard let text = environment[option.environmentName], !text.isEmpty else { continue }
            try apply(
                option, [text], .environment, to: &resolution, naming: option.environmentName,
                failingAs: .configuration)
        }
        for option in options {
            guard let texts = parsed.texts[option.name] else { continue }
            try apply(
                option, texts, .commandLine, to: &resolution, naming: "--\(option.name)",
                failingAs: .usage)
        }
        return resolution
    }

    private func configurationPath(
        _ parsed: ArgumentParser.Result, _ environment: [String: String]
    ) -> String? {
        guard let option = options.first(where: { $0.name == configurationOption }) else {
            return nil
        }
        let fromEnvironment = environment[option.environmentName].flatMap { $0.isEmpty ? nil : $0 }
        return parsed.texts[option.name]?.last ?? fromEnvironment
    }

    private func applyFile(
        _ file: ConfigurationFile, to resolution: inout Resolution
    ) throws(CommandFailure) {
        let allowed = options.filter { $0.scope == .everywhere }
        for entry in file.entries {
            let place = "\(file.path):\(entry.line)"
            guard let option = allowed.first(where: { $0.name == entry.key }) else {
                let near = Suggestion.nearest(to: entry.key, in: allowed.map(\.name))
                throw CommandFailure(
                    .configuration, "\(place): unknown key '\(entry.key)'",
                    hint: near.map { "Did you mean '\($0)'?" })
            }
            guard entry.texts.count == 1 || option.isRepeatable else {
                throw CommandFailure(
                    .configuration, "\(place): '\(entry.key)' takes one value, not a list")
            }
            try apply(
                option, entry.texts, .configurationFile, to: &resolution,
                naming: "\(place): \(entry.key)", failingAs: .configuration)
        }
    }

    private func apply(
        _ option: OptionDefinition<Settings>, _ texts: [String], _ source: Source,
        to resolution: inout Resolution, naming name: String, failingAs exitCode: ExitCode
    ) throws(CommandFailure) {
        do {
            try option.apply(&resolution.settings, texts)
        } catch {
            let given = texts.map { "'\($0)'" }.joined(separator: ", ")
            throw CommandFailure(exitCode, "\(name): \(given) \(error.reason)")
        }
        resolution.sources[option.name] = source
    }
}
