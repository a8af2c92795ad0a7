internal import CommandLineOptions
internal import Dispatch
internal import Endpoints
internal import Execution
internal import Glibc
internal import HTTP
internal import Logging
internal import SQLStreams
internal import Server
internal import Storage

/// Serves until SIGTERM or SIGINT; returns the exit code.
///
/// The order of the end matters: streams between two requests, then the running requests and no new
/// ones, then the databases, then the workers that served them.
func runServer(_ configuration: ServeConfiguration) throws -> Int32 {
    let logger = Logger.standardError(minimumLevel: configuration.logLevel)
    let ended = DispatchSemaphore(value: 0)
    _ = TerminationSignals { number in
        logger.info("stopping", [("signal", "\(number)")])
        ended.signal()
    }
    let workers = WorkerPool(threadCount: configuration.workers)
    defer { workers.stop() }
    let store = try openStore(configuration, workers: workers, logger: logger)
    defer { store.close() }

    let server = try HTTPServer(
        configuration: httpConfiguration(configuration), workers: workers, logger: logger)
    defer { server.stop(grace: configuration.shutdownGrace) }
    let streams = StreamRegistry(limits: streamLimits(configuration), logger: logger)
    // First: requests that are to finish may wait for what a stream holds.
    defer { streams.stop() }
    let bound = try startListeners(
        configuration, server: server, store: store, streams: streams, workers: workers,
        logger: logger)
    if !configuration.listen.isLoopback {
        logger.warning(
            "no_authentication", [("hint", "everyone who reaches the listener may read and write")])
    }
    logger.info(
        "ready", [("version", Version.text), ("data", store.directory), ("pid", "\(getpid())")])
    let line = ServeCommand.readyLine(http: bound.http, admin: bound.admin)
    _ = unsafe line.utf8CString.withUnsafeBytes { unsafe write(1, $0.baseAddress, $0.count - 1) }
    ended.wait()
    return 0
}

private func openStore(
    _ configuration: ServeConfiguration, workers: WorkerPool, logger: Logger
) throws -> DatabaseStore {
    var options = StorageOptions()
    options.openDatabaseLimit = configuration.maxOpenDatabases
    options.truncatePageCount = configuration.truncatePageN
    options.minCheckpointPageCount = configuration.minCheckpointPageCount
    options.checkpointInterval = configuration.checkpointInterval
    options.maxSnapshotAge = configuration.maxSnapshotAge
    if configuration.truncatePageN == 0 {
        logger.warning(
            "wal_truncation_disabled",
            [("hint", "truncate-page-n is 0: nothing bounds the write-ahead logs")])
    }
    options.historyQuota = Int64(clamping: configuration.historyQuota.bytes)
    options.pageCacheSize = Int64(clamping: configuration.pageCacheSize.bytes)
    options.pinRetention = configuration.pinRetention
    do {
        return try DatabaseStore(
            directory: configuration.dataDirectory, options: options, workers: workers,
            logger: logger)
    } catch {
        throw LocalAdministration.administrationError(error).commandFailure
    }
}

private func streamLimits(_ configuration: ServeConfiguration) -> StreamLimits {
    var limits = StreamLimits()
    limits.idleTime = configuration.streamIdleTimeout
    limits.transactionTime = configuration.transactionTimeout
    return limits
}

private func httpConfiguration(_ configuration: ServeConfiguration) -> HTTPServerConfiguration {
    var http = HTTPServerConfiguration()
    http.loopCount = configuration.threads
    http.maximumConnections = configuration.maxConnections
    http.idleTimeout = configuration.idleTimeout
    return http
}

private func startListeners(
    _ configuration: ServeConfiguration, server: HTTPServer, store: DatabaseStore,
    streams: StreamRegistry, workers: WorkerPool, logger: Logger
) throws -> (http: ListenAddress, admin: ListenAddress?) {
    var endpoints = EndpointConfiguration()
    endpoints.baseDomains = configuration.baseDomains.map(\.text)
    endpoints.maximumBodySize = Int(clamping: configuration.maxBodySize.bytes)
    endpoints.longPollLimit = configuration.longPollMax
    endpoints.statementTimeout =
        configuration.statementTimeout == .zero ? nil : configuration.statementTimeout
    endpoints.bootstrapQueryTimeout = configuration.bootstrapQueryTimeout
    endpoints.bootstrapQueryMaximumPages = configuration.bootstrapQueryMaxPages
    endpoints.frameSync.limits.checkpointNeeded = configuration.checkpointNeededPages
    endpoints.frameSync.rollFrameCount = configuration.generationRollPages
    endpoints.frameSync.quietTime = configuration.generationQuietTime
    endpoints.frameSync.answerFrameCount = configuration.frameAnswerPages
    endpoints.frameSync.stagingSize = Int(clamping: configuration.frameStagingSize.bytes)
    endpoints.compressionLevel = configuration.compressionLevel
    endpoints.version = Version.text
    let http = try listen(
        configuration.listen, server: server,
        handler: PublicEndpoints(
            store: store, workers: workers, configuration: endpoints, streams: streams,
            logger: logger))
    var admin: ListenAddress?
    if let address = configuration.adminListen {
        admin = try listen(
            address, server: server,
            handler: AdminEndpoints(
                store: store, workers: workers, configuration: endpoints, streams: streams,
                logger: logger))
    }
    return (http, admin)
}

private func listen(
    _ address: ListenAddress, server: HTTPServer, handler: any HTTPHandler
) throws -> ListenAddress {
    do {
        let bound = try server.start(host: address.host, port: address.port, handler: handler)
        return ListenAddress(host: bound.host, port: bound.port)
    } catch {
        throw CommandFailure(
            .unavailable, "cannot listen on \(address.optionText): \(error)",
            hint: "Another program may use the port; choose one with --listen or --admin-listen.")
    }
}
