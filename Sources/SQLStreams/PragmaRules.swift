internal import SQLite
internal import WireProtocol

/// Which pragmas clients may use. A pragma that is not listed is refused: most others change how
/// the server stores and shares the database.
enum PragmaRules {
    enum Verdict: Equatable {
        case allowed
        /// Allowed, and the connection must not be used for anybody else afterwards.
        case changesConnection
        /// Allowed, and carried out by the storage in SQLite's place.
        case checkpoint(CheckpointMode)
        case refused(SQLFailure)
    }

    /// These only read; an argument names what they read.
    private static let reading: Set<String> = [
        "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
        "foreign_key_list", "foreign_key_check", "integrity_check", "quick_check",
        "function_list", "collation_list", "database_list", "compile_options", "pragma_list",
        "module_list", "data_version", "optimize", "page_count", "freelist_count",
    ]
    /// These may be read and set: parts of the database, or settings that are put back.
    private static let settable: Set<String> = [
        "user_version", "application_id", "foreign_keys", "defer_foreign_keys",
    ]
    /// These may be read, and set at the price of the connection.
    private static let connectionSettings: Set<String> = ["recursive_triggers"]
    /// These may be read only.
    private static let readable: Set<String> = [
        "schema_version", "encoding", "page_size", "auto_vacuum", "journal_mode",
        "max_page_count", "synchronous", "busy_timeout", "cache_size", "query_only",
    ]
    /// Replicas can hold only one value of these.
    private static let fixedByReplicas: Set<String> = ["encoding", "page_size", "auto_vacuum"]

    static func verdict(name: String, argument: String?, isSynced: Bool) -> Verdict {
        let name = name.lowercased()
        if reading.contains(name) || settable.contains(name) { return .allowed }
        if connectionSettings.contains(name) {
            return argument == nil ? .allowed : .changesConnection
        }
        if readable.contains(name), argument == nil { return .allowed }
        // SQLite takes every word that it does not know for PASSIVE.
        if name == "wal_checkpoint" {
            return .checkpoint(argument.flatMap { .init(rawValue: $0.lowercased()) } ?? .passive)
        }
        // Many programs open every database with this; it is so already.
        if name == "journal_mode", argument?.lowercased() == "wal" { return .allowed }
        if fixedByReplicas.contains(name), isSynced {
            return .refused(
                SQLFailure(
                    message: "PRAGMA \(name) cannot be changed: replicas hold UTF-8 databases"
                        + " with pages of 4096 bytes and without auto_vacuum",
                    code: SQLFailure.unsupportedByReplicas))
        }
        let reason =
            readable.contains(name)
            ? "may be read but not set here"
            : "is not allowed here"
        return .refused(
            SQLFailure(
                message: "PRAGMA \(name) \(reason)", code: SQLFailure.blocked))
    }
}
