internal import CSQLite

/// The table-valued function `generate_series(start, stop, step)`, which the clients' engine has
/// built in and stock SQLite's library has not. Without it their statements would fail here.
///
/// An eponymous virtual table with one visible column, `value`, and the arguments as the hidden
/// columns `start`, `stop` and `step`. A missing `stop` means 4294967295, a missing `step` 1; an
/// argument that is NULL gives no rows.
enum GenerateSeries {
    private enum Column {
        static let value: Int32 = 0
        static let start: Int32 = 1
        static let step: Int32 = 3
    }

    /// What `bestIndex` tells `filter`: which arguments follow, in this order, and the order of
    /// the rows.
    private struct Plan {
        static let start: Int32 = 1
        static let stop: Int32 = 2
        static let step: Int32 = 4
        static let ascending: Int32 = 8
        static let descending: Int32 = 16
    }

    // SAFETY: written once, here, and only read afterwards. SQLite keeps the pointer for as long
    // as a connection lives, so it is never freed.
    private nonisolated(unsafe) static let module: UnsafePointer<sqlite3_module> = {
        var module = sqlite3_module()
        unsafe module.xConnect = { handle, _, _, _, table, _ in
            unsafe GenerateSeries.connect(handle, table)
        }
        unsafe module.xDisconnect = { table in
            unsafe sqlite3_free(table)
            return SQLITE_OK
        }
        unsafe module.xBestIndex = { table, info in unsafe GenerateSeries.chooseIndex(table, info) }
        unsafe module.xOpen = { _, cursor in
            unsafe GenerateSeries.allocate(csqlite_series_cursor.self, cursor)
        }
        unsafe module.xClose = { cursor in
            unsafe sqlite3_free(cursor)
            return SQLITE_OK
        }
        unsafe module.xFilter = { cursor, plan, _, count, arguments in
            unsafe GenerateSeries.withCursor(cursor) {
                unsafe GenerateSeries.filter(&$0, plan: plan, arguments: arguments, count: count)
            }
        }
        unsafe module.xNext = { cursor in
            unsafe GenerateSeries.withCursor(cursor, GenerateSeries.advance)
        }
        unsafe module.xEof = { cursor in
            unsafe GenerateSeries.withCursor(cursor) { unsafe $0.is_at_end != 0 ? 1 : 0 }
        }
        unsafe module.xColumn = { cursor, context, column in
            unsafe GenerateSeries.withCursor(cursor) { cursor in
                let values = unsafe [cursor.current, cursor.start, cursor.stop, cursor.step]
                unsafe sqlite3_result_int64(context, values[Int(column)])
                return SQLITE_OK
            }
        }
        unsafe module.xRowid = { cursor, rowID in
            unsafe GenerateSeries.withCursor(cursor) { cursor in
                unsafe rowID?.pointee = cursor.current
                return SQLITE_OK
            }
        }
        let pointer = UnsafeMutablePointer<sqlite3_module>.allocate(capacity: 1)
        unsafe pointer.initialize(to: module)
        return unsafe UnsafePointer(pointer)
    }()

    static func register(on handle: OpaquePointer) -> Int32 {
        unsafe sqlite3_create_module_v2(handle, "generate_series", module, nil, nil)
    }

    private static func connect(
        _ handle: OpaquePointer?,
        _ result: UnsafeMutablePointer<UnsafeMutablePointer<sqlite3_vtab>?>?
    ) -> Int32 {
        let code = unsafe csqlite_vtab_declare(
            handle,
            "CREATE TABLE generate_series("
                + "value INTEGER, start INTEGER HIDDEN, stop INTEGER HIDDEN, step INTEGER HIDDEN)")
        guard code == SQLITE_OK else { return code }
        _ = unsafe csqlite_vtab_set_innocuous(handle)
        return unsafe allocate(sqlite3_vtab.self, result)
    }

    /// Allocates a zeroed object of ours with SQLite's allocator and hands out its first part.
    private static func allocate<Object, Part>(
        _ type: Object.Type, _ result: UnsafeMutablePointer<UnsafeMutablePointer<Part>?>?
    ) -> Int32 {
        let size = MemoryLayout<Object>.size
        guard let memory = unsafe sqlite3_malloc64(UInt64(size)) else { return SQLITE_NOMEM }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        unsafe result?.pointee = memory.assumingMemoryBound(to: Part.self)
        return SQLITE_OK
    }

    private static func withCursor(
        _ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?,
        _ body: (inout csqlite_series_cursor) -> Int32
    ) -> Int32 {
        guard let cursor = unsafe cursor else { return SQLITE_MISUSE }
        // SAFETY: `xOpen` made the cursor; its first member is SQLite's part.
        return unsafe UnsafeMutableRawPointer(cursor)
            .withMemoryRebound(to: csqlite_series_cursor.self, capacity: 1) {
                unsafe body(&$0.pointee)
            }
    }

    /// Takes the arguments from equality constraints on the hidden columns.
    private static func chooseIndex(
        _ table: UnsafeMutablePointer<sqlite3_vtab>?,
        _ info: UnsafeMutablePointer<sqlite3_index_info>?
    ) -> Int32 {
        guard let table = unsafe table, let info = unsafe info else { return SQLITE_MISUSE }
        var plan: Int32 = 0
        var unusable: Int32 = 0
        var isStartGiven = false
        var positions: [Int?] = [nil, nil, nil]
        for position in 0..<Int(unsafe info.pointee.nConstraint) {
            let constraint = unsafe info.pointee.aConstraint[position]
            guard (Column.start...Column.step).contains(constraint.iColumn),
                Int32(constraint.op) == SQLITE_INDEX_CONSTRAINT_EQ
            else { continue }
            let argument = Int(constraint.iColumn - Column.start)
            if argument == 0 { isStartGiven = true }
            if constraint.usable == 0 {
                unusable |= 1 << Int32(argument)
            } else {
                plan |= 1 << Int32(argument)
                positions[argument] = position
            }
        }
        guard isStartGiven else {
            unsafe csqlite_set_error(
                table, "first argument to \"generate_series()\" missing or unusable")
            return SQLITE_ERROR
        }
        // SQLite asks again with another order of the join, in which the argument is known.
        guard unusable & ~plan == 0 else { return SQLITE_CONSTRAINT }

        for (index, position) in positions.compactMap({ $0 }).enumerated() {
            unsafe info.pointee.aConstraintUsage[position].argvIndex = Int32(index + 1)
            unsafe info.pointee.aConstraintUsage[position].omit = 1
        }
        unsafe estimate(info, plan: plan)
        // No two rows have the same value, so further terms of the ORDER BY cannot matter.
        if unsafe info.pointee.nOrderBy >= 1,
            unsafe info.pointee.aOrderBy[0].iColumn == Column.value
        {
            unsafe plan |= info.pointee.aOrderBy[0].desc != 0 ? Plan.descending : Plan.ascending
            unsafe info.pointee.orderByConsumed = 1
        }
        unsafe info.pointee.idxNum = plan
        return SQLITE_OK
    }

    private static func estimate(
        _ info: UnsafeMutablePointer<sqlite3_index_info>, plan: Int32
    ) {
        let bounds = Plan.start | Plan.stop
        if plan & bounds == bounds {
            unsafe info.pointee.estimatedCost = plan & Plan.step != 0 ? 1 : 2
            unsafe info.pointee.estimatedRows = 1000
        } else {
            unsafe info.pointee.estimatedRows = Int64(Int32.max)
        }
    }

    private static func filter(
        _ cursor: inout csqlite_series_cursor, plan: Int32,
        arguments: UnsafeMutablePointer<OpaquePointer?>?, count: Int32
    ) -> Int32 {
        var next = 0
        var holdsNull = false
        func argument(_ bit: Int32, default value: Int64) -> Int64 {
            guard plan & bit != 0, next < Int(count), let argument = unsafe arguments?[next] else {
                return value
            }
            next += 1
            if unsafe sqlite3_value_type(argument) == SQLITE_NULL { holdsNull = true }
            return unsafe sqlite3_value_int64(argument)
        }
        let start = argument(Plan.start, default: 0)
        let stop = argument(Plan.stop, default: SeriesRange.defaultStop)
        let step = argument(Plan.step, default: 1)
        let range = SeriesRange(start: start, stop: stop, step: step)
        unsafe cursor.start = range.start
        unsafe cursor.stop = range.stop
        unsafe cursor.step = range.step
        guard !holdsNull, let stepCount = range.stepCount, let last = range.last else {
            unsafe cursor.is_at_end = 1
            return SQLITE_OK
        }
        let isReversed = plan & (range.step > 0 ? Plan.descending : Plan.ascending) != 0
        unsafe cursor.is_reversed = isReversed ? 1 : 0
        unsafe cursor.current = isReversed ? last : range.start
        unsafe cursor.remaining_count = stepCount
        unsafe cursor.is_at_end = 0
        return SQLITE_OK
    }

    private static func advance(_ cursor: inout csqlite_series_cursor) -> Int32 {
        guard unsafe cursor.remaining_count > 0 else {
            unsafe cursor.is_at_end = 1
            return SQLITE_OK
        }
        unsafe cursor.remaining_count -= 1
        // Never overflows: the next value lies between `start` and `stop`.
        unsafe cursor.current =
            unsafe cursor.is_reversed != 0
            ? cursor.current &- cursor.step : cursor.current &+ cursor.step
        return SQLITE_OK
    }
}

extension Connection {
    /// Makes `generate_series(start, stop, step)` known to this connection, unless it is already.
    package func registerGenerateSeries() throws(SQLiteError) {
        guard !hasGenerateSeries else { return }
        try check(unsafe GenerateSeries.register(on: try open()))
        hasGenerateSeries = true
    }
}
