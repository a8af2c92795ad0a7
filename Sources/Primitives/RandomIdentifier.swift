/// Random identifiers from the system's generator.
package enum RandomIdentifier {
    package static func uint64() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        // Zero stands for "none" in files.
        return UInt64.random(in: 1...UInt64.max, using: &generator)
    }
    package static func databaseID() -> DatabaseID {
        DatabaseID(high: uint64(), low: uint64())
    }
    /// 128 random bits as 32 hexadecimal digits, for what nobody may guess.
    package static func baton() -> String {
        Hexadecimal.encode(uint64()) + Hexadecimal.encode(uint64())
    }
    package static func epoch() -> Epoch { Epoch(uint64()) }
}
