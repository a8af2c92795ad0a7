// swift-tools-version: 6.2
// Tidemark: a self-hosted remote peer for local-first SQLite replicas.
//
// Imports point down (docs/architecture.md draws them). Every C library comes from Debian, as a
// system library target with a module map; no outside Swift package is used.
import PackageDescription

let testSettings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
]

/// In `Sources` every expression that is not memory-safe is marked `unsafe` by whoever wrote it.
let swiftSettings: [SwiftSetting] = testSettings + [.strictMemorySafety()]

/// A Swift library target with its unit tests, which may need more than it does.
func module(
    _ name: String, _ dependencies: [String] = [], testsAlsoNeed: [String] = []
) -> [Target] {
    [
        .target(
            name: name, dependencies: dependencies.map { .byName(name: $0) },
            swiftSettings: swiftSettings),
        .testTarget(
            name: "\(name)Tests",
            dependencies: ([name, "TestSupport"] + dependencies + testsAlsoNeed).map {
                .byName(name: $0)
            },
            swiftSettings: testSettings),
    ]
}

let systemLibraries: [Target] = [
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3"),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
    .systemLibrary(name: "CNGHTTP2", pkgConfig: "libnghttp2"),
    .systemLibrary(name: "CProtobufC", pkgConfig: "libprotobuf-c"),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto"),
    .systemLibrary(name: "CRoaring"),  // Debian's 0.2.66 has no .pc file.
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1"),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl"),
]

let cTargets: [Target] = [
    .target(name: "CLinux"),
    .target(
        name: "CSimdJSON", cxxSettings: [.unsafeFlags(["-O2"])],
        linkerSettings: [.linkedLibrary("simdjson")]),
    .target(name: "CSyncProtos", dependencies: ["CProtobufC"]),
]

let package = Package(
    name: "tidemark",
    products: [
        .executable(name: "tidemark", targets: ["tidemark"]),
        .executable(name: "tidemark-bench", targets: ["tidemark-bench"]),
    ],
    targets: systemLibraries + cTargets
        + [
            .target(
                name: "TestSupport", path: "Tests/TestSupport", swiftSettings: testSettings)
        ]
        + module("Primitives", ["CLinux"])
        + [.target(name: "Logging", dependencies: ["CLinux"], swiftSettings: swiftSettings)]
        + module("Execution")
        + module("SQLite", ["CSQLite", "Primitives"])
        + module("Codecs", ["CZstd", "CZlib", "CRoaring", "Primitives"])
        + module("Transport", ["CLinux", "Logging", "Primitives"])
        + module("HTTP", ["Primitives"])
        + module("WireProtocol", ["CSyncProtos", "CProtobufC", "CSimdJSON", "Primitives"])
        + module("Storage", ["SQLite", "Execution", "Logging", "CLinux", "Primitives"])
        + module(
            "Replication", ["Storage", "WireProtocol", "Codecs", "Execution", "Primitives"],
            testsAlsoNeed: ["SQLite", "Logging"])
        + module(
            "SQLStreams",
            ["Storage", "SQLite", "WireProtocol", "Execution", "Logging", "Primitives"])
        + module(
            "Endpoints",
            [
                "HTTP", "Replication", "SQLStreams", "Storage", "WireProtocol", "Codecs",
                "SQLite", "Execution", "Logging", "Primitives",
            ])
        + module("Server", ["Transport", "HTTP", "Execution", "Logging", "Primitives"])
        + module(
            "LoadTest",
            [
                "Transport", "HTTP", "WireProtocol", "Codecs", "SQLite", "CommandLineOptions",
                "Primitives", "CLinux",
            ], testsAlsoNeed: ["tidemark"])
        + [
            .target(name: "CommandLineOptions", swiftSettings: swiftSettings),
            .executableTarget(
                name: "tidemark-bench", dependencies: ["LoadTest", "CommandLineOptions"],
                swiftSettings: swiftSettings),
            .executableTarget(
                name: "tidemark",
                dependencies: [
                    "Endpoints", "Server", "Storage", "SQLite", "Execution", "Logging", "HTTP",
                    "WireProtocol", "Codecs", "Primitives", "SQLStreams", "CommandLineOptions",
                    "CYAML", "CCurl", "CNGHTTP2", "COpenSSL", "CLinux",
                ],
                swiftSettings: swiftSettings),
            .testTarget(
                name: "CommandLineTests",
                dependencies: [
                    "tidemark", "CommandLineOptions", "Endpoints", "Logging", "Primitives",
                    "SQLite",
                ],
                swiftSettings: testSettings),
            .testTarget(
                name: "ConformanceTests",
                dependencies: [
                    "tidemark", "TestSupport", "SQLite", "WireProtocol", "Codecs", "Primitives",
                ],
                swiftSettings: testSettings),
        ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17,
    cxxLanguageStandard: .cxx17
)
