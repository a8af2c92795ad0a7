internal import Glibc

/// Why a socket could not be set up.
package enum TransportError: Error, Equatable, CustomStringConvertible {
    /// A system call failed, with its `errno`.
    case systemCall(name: String, code: Int32)
    /// The name of a host has no address; `reason` is the resolver's text.
    case unknownHost(String, reason: String)

    package var description: String {
        switch self {
        case .systemCall(let name, let code): "\(name): \(unsafe String(cString: strerror(code)))"
        case .unknownHost(let host, let reason): "cannot resolve \(host): \(reason)"
        }
    }
}
