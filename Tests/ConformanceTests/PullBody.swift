import Codecs
import Primitives

/// The body of `POST /pull-updates` as a client writes it.
struct PullBody {
    var serverRevision = ""
    var clientRevision = ""
    var longPollMilliseconds: UInt32 = 0
    /// Page ids; nil for no selector.
    var selector: [UInt32]?
    /// Instead of `selector`, these bytes as they are.
    var rawSelector: [UInt8] = []
    var query = ""

    /// Protobuf: proto3 leaves out what has its default value.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        Self.append(field: 2, Array(serverRevision.utf8), to: &bytes)
        Self.append(field: 3, Array(clientRevision.utf8), to: &bytes)
        if longPollMilliseconds != 0 {
            bytes += [4 << 3] + Self.varint(UInt64(longPollMilliseconds))
        }
        let selector = selector.map { PageSelector.encode($0.map(PageID.init)) } ?? rawSelector
        Self.append(field: 5, selector, to: &bytes)
        Self.append(field: 7, Array(query.utf8), to: &bytes)
        return bytes
    }

    static func append(field: UInt8, _ value: [UInt8], to bytes: inout [UInt8]) {
        guard !value.isEmpty else { return }
        bytes += [field << 3 | 2] + varint(UInt64(value.count)) + value
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        var (value, bytes) = (value, [UInt8]())
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        return bytes + [UInt8(value)]
    }
}
