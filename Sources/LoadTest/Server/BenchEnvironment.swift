internal import Synchronization
internal import Transport

/// The server under test and its databases: one that is started for the test, or one that runs.
package final class BenchEnvironment {
    package let databases: [BenchDatabase]
    /// Of the base URL, for the report.
    package let targetText: String
    /// Processes of the server on this machine, if they are known.
    package let serverProcesses: [Int32]
    private let control: ControlClient
    private let resources: Resources
    private let interruption: Interruption

    /// What must not outlive the process, however it ends.
    private final class Resources: Sendable {
        let directory: TemporaryDirectory
        let child = Mutex<ServerChild?>(nil)

        init() throws(BenchError) { directory = try TemporaryDirectory(name: "tidemark-bench") }

        /// From any thread, as often as you like.
        func release() {
            child.withLock { $0 }?.stop()
            directory.remove()
        }
    }

    package init(_ settings: BenchSettings) throws(BenchError) {
        guard settings.serverExecutable == nil || settings.url == nil else {
            throw .usage("--url and --start-server exclude each other")
        }
        let control: ControlClient
        do throws(TransportError) {
            control = try ControlClient()
        } catch {
            throw .file("\(error)")
        }
        let resources = try Resources()
        let interruption = Interruption { resources.release() }
        do throws(BenchError) {
            let child = try Self.startServer(settings, directory: resources.directory.path)
            resources.child.withLock { $0 = child }
            let base = try Self.base(settings, child)
            databases = try Self.databases(
                base, settings: settings, admin: settings.adminURL ?? child?.admin, control,
                scratch: resources.directory.path)
            targetText = (settings.databases == 1 ? base.database(0) : base).optionText
            let known = settings.serverProcesses.map { Int32(truncatingIfNeeded: $0) }
            serverProcesses = child.map { [$0.processIdentifier] } ?? known
        } catch {
            resources.release()
            interruption.cancel()
            control.stop()
            throw error
        }
        self.resources = resources
        self.interruption = interruption
        self.control = control
    }

    package func close() {
        resources.release()
        interruption.cancel()
        control.stop()
    }

    private static func startServer(
        _ settings: BenchSettings, directory: String
    ) throws(BenchError) -> ServerChild? {
        guard let executable = settings.serverExecutable else { return nil }
        let flags = settings.serverFlags?.split(separator: " ").map { String($0) } ?? []
        return try ServerChild(executable: executable, flags: flags, directory: directory)
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
        _ base: TargetURL, settings: BenchSettings, admin: TargetURL?, _ control: ControlClient,
        scratch: String
    ) throws(BenchError) -> [BenchDatabase] {
        let address = try ControlClient.resolve(base.database(0))
        var databases: [BenchDatabase] = []
        for number in 0..<settings.databases {
            let target = base.database(number)
            if let admin { try make(target, admin, settings.importFile, control) }
            databases.append(
                BenchDatabase(
                    number: number, target: target, address: address, control: control,
                    scratchDirectory: scratch))
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
