internal import CLinux
internal import Glibc

/// An IPv4 or IPv6 address with a port.
package struct SocketAddress: Sendable, CustomStringConvertible {
    private var storage: sockaddr_storage
    private let length: socklen_t

    init(storage: sockaddr_storage, length: socklen_t) {
        self.storage = storage
        self.length = length
    }

    /// The addresses that a listener on `host` binds, IPv4 first. May ask a name server, and so
    /// block: for start-up only.
    ///
    /// - Parameter host: an address, with or without the brackets of a URL, or a name.
    package static func resolve(
        host: String, port: UInt16
    ) throws(TransportError) -> [SocketAddress] {
        var host = host
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else {
            throw .unknownHost(host, reason: unsafe String(cString: gai_strerror(code)))
        }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next?.pointee {
            unsafe next = entry.ai_next
            guard let address = unsafe entry.ai_addr else { continue }
            var storage = sockaddr_storage()
            precondition(unsafe Int(entry.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size)
            unsafe memcpy(&storage, address, Int(entry.ai_addrlen))
            unsafe addresses.append(SocketAddress(storage: storage, length: entry.ai_addrlen))
        }
        return addresses.filter { $0.family == AF_INET }
            + addresses.filter { $0.family == AF_INET6 }
    }

    var family: Int32 { Int32(storage.ss_family) }

    /// The address without the port, IPv6 without brackets.
    package var host: String {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = unsafe withPointer { address, length in
            unsafe getnameinfo(
                address, length, &text, socklen_t(text.count), nil, 0, Int32(NI_NUMERICHOST))
        }
        precondition(code == 0, "an address of a known family has a numeric form")
        return unsafe text.withUnsafeBufferPointer { bytes in
            unsafe String(
                decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }

    package var port: UInt16 {
        get {
            unsafe withPointer { address, _ in
                // SAFETY: the port has the same place in both families (RFC 3493, section 3.3).
                unsafe UInt16(
                    bigEndian: UnsafeRawPointer(address).loadUnaligned(
                        fromByteOffset: 2, as: UInt16.self))
            }
        }
        set {
            unsafe withUnsafeMutableBytes(of: &storage) {
                unsafe $0.storeBytes(of: newValue.bigEndian, toByteOffset: 2, as: UInt16.self)
            }
        }
    }

    /// Nobody but this machine can reach it: 127.0.0.0/8 or ::1.
    package var isLoopback: Bool {
        let host = host
        return family == AF_INET ? host.hasPrefix("127.") : host == "::1"
    }

    /// 0.0.0.0 or ::, every interface of this machine.
    var isAnyAddress: Bool {
        let host = host
        return host == "0.0.0.0" || host == "::"
    }

    /// `127.0.0.1:8080` or `[::1]:8080`.
    package var description: String {
        family == AF_INET6 ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    func withPointer<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        unsafe withUnsafePointer(to: storage) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
        }
    }
}
