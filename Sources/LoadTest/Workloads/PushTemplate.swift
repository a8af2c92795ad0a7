internal import WireProtocol

/// The request of a push, made once; of each further push only the numbers are written into it.
///
/// It is the batch that the Turso clients send: a transaction of upserts, with the client's
/// position in it. Numbers that change have a fixed width.
package struct PushTemplate {
    /// Digits of every id and of every position.
    private static let idWidth = 19
    private static let positionWidth = 10
    private static let firstPosition = 1_000_000_000

    private var bytes: [UInt8] = []
    private var idPlaces: [Int] = []
    private var positionPlace = 0

    /// - Parameters:
    ///   - client: the replica's name.
    ///   - rows: upserts in the batch.
    ///   - rowSize: characters of each value.
    package init(target: TargetURL, client: String, rows: Int, rowSize: Int, seed: UInt64) {
        var json = JSONWriter(reserving: rows * (rowSize + 400) + 1500)
        Self.open(&json)
        Self.step(&json, "BEGIN IMMEDIATE", isFirst: true) { _ in }
        Self.step(
            &json,
            "CREATE TABLE IF NOT EXISTS turso_sync_last_change_id "
                + "(client_id TEXT PRIMARY KEY, pull_gen INTEGER, change_id INTEGER)"
        ) { _ in }
        var places: [Int] = []
        for row in 0..<rows {
            let text = Self.text(size: rowSize, seed: seed &+ UInt64(row))
            Self.step(&json, Self.upsert) { json in
                places.append(Self.integer(&json, 1_000_000_000_000_000_000))
                Self.text(&json, text)
            }
        }
        var place = 0
        Self.step(&json, Self.note) { json in
            Self.text(&json, client)
            _ = Self.integer(&json, 0)
            place = Self.integer(&json, Self.firstPosition)
        }
        Self.step(&json, "COMMIT") { _ in }
        Self.close(&json)
        bytes = RequestBytes.pipeline(target, json.bytes)
        let headSize = bytes.count - json.bytes.count
        idPlaces = places.map { $0 + headSize }
        positionPlace = place + headSize
    }

    /// The request for rows with ids from `firstID` on.
    ///
    /// - Parameter position: the client's, from 0 on.
    package mutating func request(firstID: Int, position: Int) -> [UInt8] {
        for (row, place) in idPlaces.enumerated() {
            write(firstID + row, at: place, width: Self.idWidth)
        }
        write(Self.firstPosition + position, at: positionPlace, width: Self.positionWidth)
        return bytes
    }

    private mutating func write(_ number: Int, at place: Int, width: Int) {
        var rest = number
        for index in stride(from: place + width - 1, through: place, by: -1) {
            bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        precondition(rest == 0, "a number that is too large for its place")
    }

    // MARK: JSON

    private static let upsert =
        #"INSERT INTO "tidemark_bench"("id", "v") VALUES (?,?) ON CONFLICT("id") "#
        + #"DO UPDATE SET "id" = excluded."id","v" = excluded."v""#
    private static let note =
        "INSERT INTO turso_sync_last_change_id(client_id, pull_gen, change_id) VALUES (?, ?, ?) "
        + "ON CONFLICT(client_id) DO UPDATE SET pull_gen=excluded.pull_gen, "
        + "change_id=excluded.change_id"

    private static func open(_ json: inout JSONWriter) {
        json.beginObject(opening: #"{"baton":null,"requests":["#)
        json.beginObject(opening: #"{"type":"batch","batch":{"steps":["#)
    }

    private static func close(_ json: inout JSONWriter) {
        json.endArray()
        json.key("replication_index")
        json.null()
        json.endObject()
        json.endObject()
        json.endArray()
        json.endObject()
    }

    private static func step(
        _ json: inout JSONWriter, _ sql: String, isFirst: Bool = false,
        arguments: (inout JSONWriter) -> Void
    ) {
        if isFirst {
            json.beginObject(opening: #"{"condition":null,"stmt":"#)
        } else {
            json.beginObject(
                opening: #"{"condition":{"type":"not","cond":{"type":"is_autocommit"}},"stmt":"#)
        }
        json.beginObject()
        json.key("sql")
        json.string(sql)
        json.key("args")
        json.beginArray()
        arguments(&json)
        json.endArray()
        json.key("want_rows")
        json.bool(false)
        json.endObject()
        json.endObject()
    }

    /// Returns the place of the first digit.
    private static func integer(_ json: inout JSONWriter, _ value: Int) -> Int {
        json.beginObject(opening: #"{"type":"integer","value":"#)
        let place = json.bytes.count + 1
        json.decimalString(Int64(value))
        json.endObject()
        return place
    }

    private static func text(_ json: inout JSONWriter, _ value: String) {
        json.beginObject(opening: #"{"type":"text","value":"#)
        json.string(value)
        json.endObject()
    }

    /// Hexadecimal digits that look random and are the same for a seed.
    private static func text(size: Int, seed: UInt64) -> String {
        var generator = SplitMix(seed: seed)
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        while text.count < size {
            var word = generator.next()
            for _ in 0..<min(16, size - text.count) {
                text.append(digits[Int(word & 15)])
                word >>= 4
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
