internal import Transport

/// The server under test and its databases: one that is started for the test, or one that runs.
package final class BenchEnvironment {
    package let databases: [BenchDatabase]
    /// Of the base URL, for the report.
    package let targetText: String
    /// Processes of the server on this machine, if they are known.
    package let serverProcesses: [Int32]
    private let control: ControlClient
    private let child: ServerChild?

    package init(_ settings: BenchSettings) throws(BenchError) {
        let control: ControlClient
        do throws(TransportError) {
            control = try ControlClient()
        } catch {
            throw .file("\(error)")
        }
        var child: ServerChild?
        do throws(BenchError) {
            if let executable = settings.serverExecutable {
                guard settings.url == nil else {
                    throw .usage("--url and --start-server exclude each other")
                }
                child = try ServerChild(
                    executable: executable,
                    flags: settings.serverFlags?.split(separator: " ").map { String($0) } ?? [])
            }
            let base = try Self.base(settings, child)
            databases = try Self.databases(
                base, settings: settings, admin: settings.adminURL ?? child?.admin, control)
            targetText = (settings.databases == 1 ? base.database(0) : base).optionText
        } catch {
            child?.stop()
            control.stop()
            throw error
        }
        self.child = child
        self.control = control
        let known = settings.serverProcesses.map { Int32(truncatingIfNeeded: $0) }
        serverProcesses = child.map { [$0.processIdentifier] } ?? known
    }

    package func close() {
        child?.stop()
        control.stop()
    }

    private static func base(
        _ settings: BenchSettings, _ child: ServerChild?
    ) throws(BenchError) -> TargetURL {
        if let child {
            return TargetURL(host: child.http.host, port: child.http.port, path: "/db/bench-{n}")
        }
        guard let url = settings.url else {
            throw .usage("one of --url and --start-server is needed")
        }
        guard settings.databases == 1 || url.hasPlaceholder else {
            throw .usage("with --databases the URL needs {n} where their numbers go")
        }
        return url
    }

    private static func databases(
        _ base: TargetURL, settings: BenchSettings, admin: TargetURL?, _ control: ControlClient
    ) throws(BenchError) -> [BenchDatabase] {
        let address = try ControlClient.resolve(base.database(0))
        var databases: [BenchDatabase] = []
        for number in 0..<settings.databases {
            let target = base.database(number)
            if let admin { try make(target, admin, settings.importFile, control) }
            databases.append(
                BenchDatabase(number: number, target: target, address: address, control: control))
        }
        guard settings.importFile == nil || admin != nil else {
            throw .usage("--import needs --admin-url or --start-server")
        }
        return databases
    }

    /// Makes the database that a URL such as `http://host/db/NAME` names, if it does not exist.
    private static func make(
        _ target: TargetURL, _ admin: TargetURL, _ importFile: String?, _ control: ControlClient
    ) throws(BenchError) {
        guard let name = target.path.split(separator: "/").last else { return }
        let path = "/v1/namespaces/\(name)"
        if let importFile {
            return try DatabaseImport.run(importFile, to: admin, path: "\(path)/import", control)
        }
        let request = RequestBytes.make("POST", admin, "\(path)/create", body: [])
        let reply = try control.send(request, to: admin)
        guard reply.status == 200 || reply.text.contains("database_exists") else {
            throw .server("cannot make the database \(name): \(reply.status) \(reply.text)")
        }
    }
}
