internal import CSQLite

/// Decides, while a statement is compiled, what it may do.
///
/// SQLite asks on the thread that compiles, also when it compiles a statement again after a schema
/// change, and once for every column that is read. A policy must not use the connection.
package protocol AuthorizerPolicy: AnyObject {
    func decide(_ request: AuthorizerRequest) -> AuthorizerDecision
}

package enum AuthorizerDecision: Sendable {
    case allow
    /// Compiling fails with `SQLITE_AUTH`.
    case deny
    /// Reading a column yields NULL instead; other actions are left out.
    case ignore
}

/// One question of SQLite to an `AuthorizerPolicy`. Its texts are read from SQLite's memory on
/// demand, because most questions are answered by the action alone.
///
/// Invariant: used only inside `decide`, where the pointers are valid.
@safe package struct AuthorizerRequest {
    package let action: AuthorizerAction
    // SAFETY: SQLite's texts outlive the call of `decide`; no policy keeps a request for longer,
    // by the invariant above.
    private let firstPointer: UnsafePointer<CChar>?
    private let secondPointer: UnsafePointer<CChar>?
    private let databasePointer: UnsafePointer<CChar>?
    private let sourcePointer: UnsafePointer<CChar>?

    init(
        action: Int32, first: UnsafePointer<CChar>?, second: UnsafePointer<CChar>?,
        database: UnsafePointer<CChar>?, source: UnsafePointer<CChar>?
    ) {
        self.action = AuthorizerAction(rawValue: action)
        unsafe firstPointer = first
        unsafe secondPointer = second
        unsafe databasePointer = database
        unsafe sourcePointer = source
    }

    /// What the two arguments mean depends on the action: see SQLite's "Authorizer Action Codes".
    package var first: String? { unsafe firstPointer.map { unsafe String(cString: $0) } }
    package var second: String? { unsafe secondPointer.map { unsafe String(cString: $0) } }
    /// `main`, `temp` or the name of an attached database.
    package var database: String? { unsafe databasePointer.map { unsafe String(cString: $0) } }
    /// The innermost trigger or view that causes the access; nil for the statement itself.
    package var source: String? { unsafe sourcePointer.map { unsafe String(cString: $0) } }
}

/// What a statement is about to do, as SQLite's authorizer names it.
package struct AuthorizerAction: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let createIndex = Self(rawValue: SQLITE_CREATE_INDEX)
    package static let createTable = Self(rawValue: SQLITE_CREATE_TABLE)
    package static let createTempIndex = Self(rawValue: SQLITE_CREATE_TEMP_INDEX)
    package static let createTempTable = Self(rawValue: SQLITE_CREATE_TEMP_TABLE)
    package static let createTempTrigger = Self(rawValue: SQLITE_CREATE_TEMP_TRIGGER)
    package static let createTempView = Self(rawValue: SQLITE_CREATE_TEMP_VIEW)
    package static let createTrigger = Self(rawValue: SQLITE_CREATE_TRIGGER)
    package static let createView = Self(rawValue: SQLITE_CREATE_VIEW)
    package static let createVirtualTable = Self(rawValue: SQLITE_CREATE_VTABLE)
    package static let dropIndex = Self(rawValue: SQLITE_DROP_INDEX)
    package static let dropTable = Self(rawValue: SQLITE_DROP_TABLE)
    package static let dropTempIndex = Self(rawValue: SQLITE_DROP_TEMP_INDEX)
    package static let dropTempTable = Self(rawValue: SQLITE_DROP_TEMP_TABLE)
    package static let dropTempTrigger = Self(rawValue: SQLITE_DROP_TEMP_TRIGGER)
    package static let dropTempView = Self(rawValue: SQLITE_DROP_TEMP_VIEW)
    package static let dropTrigger = Self(rawValue: SQLITE_DROP_TRIGGER)
    package static let dropView = Self(rawValue: SQLITE_DROP_VIEW)
    package static let dropVirtualTable = Self(rawValue: SQLITE_DROP_VTABLE)
    package static let alterTable = Self(rawValue: SQLITE_ALTER_TABLE)
    package static let insert = Self(rawValue: SQLITE_INSERT)
    package static let update = Self(rawValue: SQLITE_UPDATE)
    package static let delete = Self(rawValue: SQLITE_DELETE)
    package static let read = Self(rawValue: SQLITE_READ)
    package static let select = Self(rawValue: SQLITE_SELECT)
    package static let recursive = Self(rawValue: SQLITE_RECURSIVE)
    package static let function = Self(rawValue: SQLITE_FUNCTION)
    package static let pragma = Self(rawValue: SQLITE_PRAGMA)
    package static let attach = Self(rawValue: SQLITE_ATTACH)
    package static let detach = Self(rawValue: SQLITE_DETACH)
    package static let transaction = Self(rawValue: SQLITE_TRANSACTION)
    package static let savepoint = Self(rawValue: SQLITE_SAVEPOINT)
    package static let analyze = Self(rawValue: SQLITE_ANALYZE)
    package static let reindex = Self(rawValue: SQLITE_REINDEX)
}
