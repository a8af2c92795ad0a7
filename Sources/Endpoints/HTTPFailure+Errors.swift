internal import Codecs
internal import HTTP
internal import Replication
internal import SQLStreams
internal import SQLite
internal import Storage
internal import WireProtocol

// The one mapping from errors to HTTP. No `default`: a new case must be decided here.

extension StorageError {
    var httpFailure: HTTPFailure {
        switch self {
        case .unknownDatabase(let name):
            HTTPFailure(
                status: 404, code: "database_unknown", text: "there is no database \(name.text)")
        case .databaseExists(let name):
            HTTPFailure(
                status: 400, code: "database_exists", text: "database \(name.text) already exists")
        case .dataDirectoryLocked:
            HTTPFailure(
                status: 503, code: "data_directory_locked",
                text: "the data directory is in use by another process")
        case .databaseLocked(let name):
            HTTPFailure(
                status: 503, code: "database_locked",
                text: "another program has the file of database \(name.text) open")
        case .databaseBusy(let name):
            HTTPFailure(
                status: 503, code: "database_busy",
                text: "database \(name.text) is being opened or closed; try again")
        case .databaseFailed(let name):
            HTTPFailure(
                status: 503, code: "database_failed",
                text: "a write to database \(name.text) failed on the server; try again")
        case .queueFull(let name):
            HTTPFailure(
                status: 503, code: "queue_full",
                text: "too many requests wait for database \(name.text); try again")
        case .closed:
            HTTPFailure(status: 503, code: "stopping", text: "the server is stopping")
        case .revisionGone:
            HTTPFailure(
                status: 410, code: "revision_gone",
                text: "the pages of that revision are no longer kept")
        case .tooManyPins:
            HTTPFailure(
                status: 503, code: "too_many_pins",
                text: "the database serves as many partial replicas as it may")
        case .file, .corruptFile, .sqlite:
            HTTPFailure(
                status: 500, code: "internal",
                text: "the server could not read or write the database; its log says why")
        case .outOfMemory:
            HTTPFailure(status: 503, code: "out_of_memory", text: "try again later")
        case .importRefused(let reasons):
            HTTPFailure(
                status: 422, code: "import_refused", text: reasons.joined(separator: "; "))
        }
    }
}

extension StorageError {
    /// For the source of a streamed body, which may fail before the status was sent. With the
    /// field that lets pages of any origin read it, as on other answers.
    var refusal: HTTPRefusal {
        HTTPRefusal(CrossOrigin.allow(httpFailure.response), cause: "\(self)")
    }
}

extension ZstdError {
    var httpFailure: HTTPFailure {
        switch self {
        case .malformed, .truncated, .windowTooLarge:
            HTTPFailure(
                status: 400, code: "malformed_zstd",
                text: "the body is not zstd with a window of at most 8 MiB")
        case .outputTooLarge(let limit):
            HTTPFailure(
                status: 413, code: "body_too_large",
                text: "the decompressed body exceeds \(limit) bytes")
        case .outOfMemory:
            HTTPFailure(status: 503, code: "out_of_memory", text: "try again later")
        }
    }
}

extension GzipError {
    var httpFailure: HTTPFailure {
        switch self {
        case .malformed, .truncated:
            HTTPFailure(
                status: 400, code: "malformed_gzip", text: "the body is not whole gzip members")
        case .outputTooLarge(let limit):
            HTTPFailure(
                status: 413, code: "body_too_large",
                text: "the decompressed body exceeds \(limit) bytes")
        case .outOfMemory:
            HTTPFailure(status: 503, code: "out_of_memory", text: "try again later")
        }
    }
}

extension PullRequestError {
    var httpFailure: HTTPFailure {
        switch self {
        case .tooLarge(_, let limit):
            HTTPFailure(
                status: 413, code: "body_too_large",
                text: "a pull request has at most \(limit) bytes")
        case .malformed:
            HTTPFailure(
                status: 400, code: "malformed_pull",
                text: "the body is not a pull request in protobuf")
        case .invalidUTF8(let field):
            HTTPFailure(
                status: 400, code: "malformed_pull",
                text: "the field \(field) of the pull request is not UTF-8")
        }
    }
}

extension PullFailure {
    var httpFailure: HTTPFailure {
        switch self {
        case .refused(.notSynced):
            HTTPFailure(
                status: 409, code: "not_synced",
                text: "this database is configured not to be synced")
        case .refused(.otherDatabase):
            HTTPFailure(
                status: 409, code: "other_database",
                text: "this replica belongs to another database: the one it was made from was "
                    + "deleted or replaced under the same name; start with a new local file")
        case .refused(.revisionGone):
            HTTPFailure(
                status: 410, code: "revision_gone",
                text: "the pages of that revision are no longer kept: download again, or, if this "
                    + "is a partial replica, pull, which brings it every page")
        case .refused(.revisionUnreadable):
            HTTPFailure(
                status: 400, code: "revision_unreadable",
                text: "server_revision is not one that this server gave out")
        case .malformedSelector:
            HTTPFailure(
                status: 400, code: "malformed_selector",
                text: "server_pages_selector is not a portable roaring bitmap")
        case .storage(let error): error.httpFailure
        }
    }
}

extension QueryTrace.Failure {
    var httpFailure: HTTPFailure {
        switch self {
        case .refused(let failure):
            // SQLite's words: the client's developer sees nothing else of it.
            HTTPFailure(status: 400, code: "query_refused", text: failure.message)
        case .broken:
            HTTPFailure(
                status: 500, code: "internal",
                text: "the server could not run the query; its log says why")
        case .storage(let error): error.httpFailure
        }
    }
}

extension PipelineDecodingError {
    var httpFailure: HTTPFailure {
        HTTPFailure(status: 400, code: "malformed_pipeline", text: description)
    }
}

extension PipelineExecution.Failure {
    var httpFailure: HTTPFailure {
        switch self {
        case .storage(let error): error.httpFailure
        case .pipeline(let error):
            HTTPFailure(status: 500, code: "internal", text: error.message)
        case .stream(let failure):
            HTTPFailure(status: failure.status, code: failure.code, text: failure.message)
        }
    }
}

extension StreamFailure {
    fileprivate var status: Int {
        switch self {
        case .expired: 400
        case .busy: 409
        case .tooMany: 503
        }
    }
}

extension FrameBody.Failure {
    var httpFailure: HTTPFailure {
        switch self {
        case .wrongSize(let expected, let actual):
            HTTPFailure(
                status: 400, code: "malformed_frames",
                text: "the body has \(actual) bytes where its frames have \(expected)")
        case .brokenChain:
            HTTPFailure(
                status: 400, code: "malformed_frames",
                text: "a frame's checksum does not follow from the one before: the body was "
                    + "damaged on its way")
        }
    }
}

extension FramePushFailure {
    var httpFailure: HTTPFailure {
        switch self {
        case .refused(let reasons):
            HTTPFailure(
                status: 422, code: "frames_refused", text: reasons.joined(separator: "; "))
        case .staging(.transactionTooLarge):
            HTTPFailure(
                status: 413, code: "transaction_too_large",
                text: "a transaction has more frames than the server holds before it is complete")
        case .staging(.full):
            HTTPFailure(
                status: 503, code: "staging_full",
                text: "other pushes hold the room for unfinished transactions; try again")
        case .storage(let error): error.httpFailure
        }
    }
}

extension DatabaseRoute.Failure {
    var httpFailure: HTTPFailure {
        switch self {
        case .invalidName:
            HTTPFailure(
                status: 400, code: "invalid_database_name",
                text: "a database name has 1 to 128 letters, digits, _ and -")
        case .invalidPath:
            HTTPFailure(status: 404, code: "not_found", text: "there is nothing at this path")
        }
    }
}
