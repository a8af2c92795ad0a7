/// Where a listener can be reached.
package struct BoundAddress: Sendable, Equatable, CustomStringConvertible {
    /// Numeric, IPv6 without brackets.
    package let host: String
    /// As chosen by the system if 0 was asked for.
    package let port: UInt16
    /// `127.0.0.1:8080` or `[::1]:8080`.
    package let description: String
}
