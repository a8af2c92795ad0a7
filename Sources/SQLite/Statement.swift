internal import CSQLite
package import Primitives

/// One compiled statement, finalized when it is released or when its connection is closed. It
/// keeps its connection alive and belongs to the same lane.
@safe package final class Statement {
    package enum ColumnType: Sendable {
        case null, integer, float, text, blob
    }

    // SAFETY: valid while the connection is open, which `live` checks before each use.
    private let handle: OpaquePointer
    package let connection: Connection

    init(handle: OpaquePointer, connection: Connection) {
        unsafe self.handle = handle
        self.connection = connection
        parameterCount = unsafe Int(sqlite3_bind_parameter_count(handle))
        isExplain = unsafe sqlite3_stmt_isexplain(handle) != 0
    }

    deinit { unsafe connection.finalize(handle) }

    private var live: OpaquePointer? { unsafe connection.isOpen ? handle : nil }

    private func open() throws(SQLiteError) -> OpaquePointer {
        _ = try unsafe connection.open()
        return unsafe handle
    }

    // MARK: Running

    /// Advances to the next row; false at the end. After an error the statement is reset, so it
    /// holds neither locks nor a transaction open.
    package func step() throws(SQLiteError) -> Bool {
        let handle = try unsafe open()
        let code = unsafe sqlite3_step(handle)
        switch code {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default:
            let error = unsafe SQLiteError(code: code, handle: connection.handle)
            unsafe sqlite3_reset(handle)
            throw error
        }
    }

    /// Makes the statement ready to run again; bound values stay.
    package func reset() {
        // The code it returns repeats the error of the last step, which was thrown already.
        if let live = unsafe live { unsafe sqlite3_reset(live) }
    }

    package func clearBindings() {
        if let live = unsafe live { unsafe sqlite3_clear_bindings(live) }
    }

    /// True if the statement does not change the database file. BEGIN, COMMIT and SAVEPOINT count
    /// as read-only here; BEGIN IMMEDIATE and BEGIN EXCLUSIVE do not.
    package var isReadOnly: Bool {
        unsafe live.map { unsafe sqlite3_stmt_readonly($0) != 0 } ?? true
    }

    /// True for EXPLAIN and EXPLAIN QUERY PLAN.
    package let isExplain: Bool

    /// The text that the statement was compiled from.
    package var sql: String {
        unsafe live.flatMap { unsafe sqlite3_sql($0) }.map { unsafe String(cString: $0) } ?? ""
    }

    // MARK: Parameters, counted from 1

    package let parameterCount: Int

    /// The name with its first character, for example `:id`; nil for `?` and gaps.
    package func parameterName(_ index: Int) -> String? {
        guard let live = unsafe live,
            let name = unsafe sqlite3_bind_parameter_name(live, Int32(clamping: index))
        else { return nil }
        return unsafe String(cString: name)
    }

    /// - Parameter name: with its first character, for example `:id`.
    package func parameterIndex(_ name: String) -> Int? {
        guard let live = unsafe live else { return nil }
        let index = unsafe sqlite3_bind_parameter_index(live, name)
        return index > 0 ? Int(index) : nil
    }

    /// Binds a copy of `value`.
    package func bind(_ value: SQLValue, at index: Int) throws(SQLiteError) {
        let handle = try unsafe open()
        guard let number = Int32(exactly: index) else {
            throw SQLiteError(extendedCode: SQLITE_RANGE)
        }
        let code =
            switch value {
            case .null: unsafe sqlite3_bind_null(handle, number)
            case .integer(let integer): unsafe sqlite3_bind_int64(handle, number, integer)
            case .float(let double): unsafe sqlite3_bind_double(handle, number, double)
            case .text(let text): unsafe Self.bind(text, to: handle, at: number)
            case .blob(let bytes): unsafe Self.bind(bytes, to: handle, at: number)
            }
        try connection.check(code)
    }

    private static func bind(_ text: String, to handle: OpaquePointer, at index: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { utf8 in
            unsafe utf8.withMemoryRebound(to: CChar.self) { characters in
                // A nil pointer would bind NULL instead of an empty text.
                guard let start = characters.baseAddress else {
                    return unsafe csqlite_bind_text_static(handle, index, "", 0)
                }
                return unsafe csqlite_bind_text_copy(handle, index, start, UInt64(characters.count))
            }
        }
    }

    private static func bind(
        _ bytes: [UInt8], to handle: OpaquePointer, at index: Int32
    ) -> Int32 {
        // A nil pointer would bind NULL instead of an empty blob.
        guard !bytes.isEmpty else { return unsafe sqlite3_bind_zeroblob(handle, index, 0) }
        return unsafe bytes.withUnsafeBytes {
            unsafe csqlite_bind_blob_copy(handle, index, $0.baseAddress, UInt64($0.count))
        }
    }

    /// Binds by name, given with its first character; false if there is no such parameter.
    @discardableResult
    package func bind(_ value: SQLValue, named name: String) throws(SQLiteError) -> Bool {
        guard let index = parameterIndex(name) else { return false }
        try bind(value, at: index)
        return true
    }

    // MARK: Columns, counted from 0

    package var columnCount: Int { unsafe live.map { unsafe Int(sqlite3_column_count($0)) } ?? 0 }

    package func columnName(at index: Int) -> String {
        guard let live = unsafe live,
            let name = unsafe sqlite3_column_name(live, Int32(clamping: index))
        else {
            return ""
        }
        return unsafe String(cString: name)
    }

    /// The type in the declaration of the table's column; nil for expressions.
    package func columnDeclaredType(at index: Int) -> String? {
        guard let live = unsafe live,
            let name = unsafe sqlite3_column_decltype(live, Int32(clamping: index))
        else {
            return nil
        }
        return unsafe String(cString: name)
    }

    package func columnType(at index: Int) -> ColumnType {
        guard let live = unsafe live else { return .null }
        switch unsafe sqlite3_column_type(live, Int32(clamping: index)) {
        case SQLITE_INTEGER: return .integer
        case SQLITE_FLOAT: return .float
        case SQLITE_TEXT: return .text
        case SQLITE_BLOB: return .blob
        default: return .null
        }
    }

    package func integer(at index: Int) -> Int64 {
        unsafe live.map { unsafe sqlite3_column_int64($0, Int32(clamping: index)) } ?? 0
    }

    package func double(at index: Int) -> Double {
        unsafe live.map { unsafe sqlite3_column_double($0, Int32(clamping: index)) } ?? 0
    }

    /// Bytes that are not UTF-8 become U+FFFD.
    package func text(at index: Int) -> String {
        unsafe withTextBytes(at: index) { unsafe String(decoding: $0, as: UTF8.self) }
    }

    package func blob(at index: Int) -> [UInt8] {
        unsafe withBlobBytes(at: index) { unsafe Array($0) }
    }

    /// Hands the bytes of a text to `body` without copying them. They may hold NUL and need not be
    /// UTF-8, and are valid inside `body` only.
    package func withTextBytes<Result>(
        at index: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        guard let live = unsafe live else {
            return unsafe body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        // The order matters: the first call may convert the value, the second measures the result.
        let text = unsafe sqlite3_column_text(live, Int32(clamping: index))
        let size = unsafe Int(sqlite3_column_bytes(live, Int32(clamping: index)))
        return unsafe body(UnsafeRawBufferPointer(start: text, count: text == nil ? 0 : size))
    }

    /// Hands the bytes of a blob to `body` without copying them; valid inside `body` only.
    package func withBlobBytes<Result>(
        at index: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        guard let live = unsafe live else {
            return unsafe body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        let blob = unsafe sqlite3_column_blob(live, Int32(clamping: index))
        let size = unsafe Int(sqlite3_column_bytes(live, Int32(clamping: index)))
        return unsafe body(UnsafeRawBufferPointer(start: blob, count: blob == nil ? 0 : size))
    }

    package func value(at index: Int) -> SQLValue {
        switch columnType(at: index) {
        case .null: .null
        case .integer: .integer(integer(at: index))
        case .float: .float(double(at: index))
        case .text: .text(text(at: index))
        case .blob: .blob(blob(at: index))
        }
    }
}
