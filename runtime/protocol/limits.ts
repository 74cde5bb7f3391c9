/**
 * Every limit of the protocol, one number each, tested from both sides. Units are last in the name.
 * The wire limits are argued in docs/spec/limits.md; what a figure protects stands beside it.
 */
export const LIMITS = {
  /** An MQTT packet, fixed header included (guard and both ends). */
  packetBytes: 128 * 1024,
  /** What is left of it for the payload: topic and headers take less than the rest. */
  payloadBytes: 127 * 1024,
  /** What may arrive before CONNECT was accepted. */
  packetBeforeConnectBytes: 4 * 1024,
  /** From the TCP accept to an accepted CONNECT, two round trips even on a link that is 8 s late; a pairing has to be over by then. */
  connectDeadlineMs: 40_000,
  /** Sockets of one address (IPv6: of one /64) that have not shown who they are; many boards may share a NAT. */
  strangersPerAddress: 64,
  /** A session shows signs of life at least this often (MQTT keep alive). */
  keepaliveMaxS: 120,
  /** Messages of one session that the service has not settled; the rest waits unread in its socket. */
  unsettledPerSession: 32,
  /** For the service to settle a message, so that a PUBACK is never owed for ever. */
  settleDeadlineMs: 10_000,
  /** What waits to be sent to one client that reads slowly, before its session ends. */
  sessionQueueBytes: 2 * 1024 * 1024,
  /** A content-defined chunk: smallest, aimed at, largest (RFC-less; argued in docs/spec/bundle.md). */
  chunkMinBytes: 4 * 1024,
  chunkMeanBytes: 16 * 1024,
  chunkMaxBytes: 64 * 1024,
  manifestBytes: 64 * 1024,
  pageBytes: 64 * 1024,
  pages: 1024,
  entries: 200_000,
  releaseBytes: 4 * 1024 * 1024 * 1024,
  cborDepth: 8,
  cborItems: 20_000,
  /** Items of a statement, some 50 a posting: it is computed here, not taken in. */
  statementItems: 8_000_000,
  /** Of a statement that a gateway keeps, some 600 a posting. */
  statementBytes: 128 * 1024 * 1024,
  /** Of its heap, what a gateway needs for each log entry that a statement counts; how many it folds follows from it. */
  ledgerEntryBytes: 2400,
  /** Who waits for a statement that is being made. */
  statementCallers: 64,
  /** Micro-units of a voucher or lease; with the line above, no total of a statement can pass 64 bits. */
  capMicro: 100_000_000_000_000,
  pathBytes: 255,
  pathSegments: 16,
  /** Usage records of one message, together. */
  usageBatchBytes: 64 * 1024,
  /** Of a board's card, left to its store whatever releases want. */
  cardReserveBytes: 64 * 1024 * 1024,
  /** Between two looks at what the kernel tells of a board's card, and so between two reports for its sake. */
  cardLookMs: 300_000,
  /** Usage that is carried by hand at once; the rest goes the next time. */
  carriedUsageBytes: 4 * 1024 * 1024,
  /** Messages of a board, or for it, in a folder that is carried. */
  carriedFrames: 1024,
  usageRecordBytes: 1024,
  /** What a board signs of a release's trial. */
  outcomeBytes: 1024,
  documentBytes: 8 * 1024,
  trustBytes: 16 * 1024,
  helloBytes: 8 * 1024,
  /** Of the log of an instance: text of one answer, what is kept when its release does not say, and at most. */
  logFrameBytes: 32 * 1024,
  logKib: 256,
  logMaxKib: 1024,
  /** What logs may write to a board's card in a day, compressed; else they are in memory. */
  logWearBytesPerDay: 4 * 1024 * 1024,
  /** How long a board waits for something to be said before it answers who watches. */
  watchWaitMs: 20_000,
  /** Questions that wait for an answer: at one board, and of one session of a tenant. */
  watchesPerBoard: 16,
  watchesPerSession: 8,
  /** Descriptors of one process; what a board itself may have may be less. */
  openFiles: 4096,
  /** Of `/data`, when a release limits its inodes alone, and at most; and inodes at most. */
  dataMib: 64,
  dataMaxMib: 262_144,
  dataInodes: 4_000_000,
  /** Of a card in a second: KiB each way and operations each way, at least (below, nothing gets anywhere) and at most. */
  ioMinPerS: 64,
  ioKibPerS: 16_777_216,
  ioOpsPerS: 1_000_000,
  /** Sealed secrets of a request: bytes of one box, boards that it is sealed to, files in it. */
  secretBoxBytes: 4096,
  secretBoards: 32,
  secrets: 16,
  /** Partitions of one board; SlapOS puts ten to a machine, a big board holds more. */
  partitionsPerBoard: 32,
  replicas: 64,
  /** Chunks asked for and not yet come: at first, and at most while they come soon; halved at each time-out. */
  wantWindow: 8,
  wantWindowMost: 64,
  /** And of these so many bytes: they wait in the board's memory for its card. */
  wantBytes: 1024 * 1024,
  /** Pieces that take longer than this are on a long way, which holds more of them, and as many times the bytes. */
  wantFarMs: 150,
  wantWindowFar: 256,
  /** For so long a board tries others before a gateway that gave it something else for a piece, twice. */
  liarMs: 3_600_000,
  /** Such gateways in one report. */
  liars: 8,
  /** Others on its own network that a board takes content from, and whom it gives some to, at once. */
  neighbours: 24,
  /** Pieces asked of one of them and not yet come. */
  neighbourPieces: 16,
  /** What a board gives to all of them together in a second: its own work and its link go first. */
  neighbourBytesPerS: 4 * 1024 * 1024,
  /** What one of them sends at once: a piece, or which pieces it asks for. */
  neighbourFrameBytes: 68 * 1024,
  /** A word of one board to all others on its network. */
  neighbourWordBytes: 256,
  /** Such words that a board looks at in a second, whoever says them. */
  neighbourWordsPerS: 64,
  /** How long a board waits for others to say that they are there, before it asks its gateway; and from then on, when it asks them again. */
  neighbourWaitMs: 500,
  neighbourLookMs: 30_000,
  /** One that has nothing yet of what it was asked for is asked again after so long. */
  neighbourAgainMs: 2_000,
  /** A connection on which nothing is asked for so long ends, and a handshake that takes so long. */
  neighbourIdleMs: 60_000,
  neighbourHandshakeMs: 5_000,
  /** Hashes in one `want`. */
  wantHashes: 64,
  /** Of one session, asked for and not yet given: what a board asks for at most, again and again while it waits. */
  wantsWaiting: 1024,
  /** Content that a gateway keeps at hand because many ask for it: a release of the usual size. */
  hotBytes: 32 * 1024 * 1024,
  /** What nobody wanted among so many asks is not kept at hand any longer: some 256 MB that went out. */
  hotPeriodAsks: 16_384,
  /** A peer frame: one batch of log entries with its head, or one blob. */
  peerFrameBytes: 1024 * 1024,
  peerBatchEntries: 512,
  /** What waits to be sent to one peer, before its link ends and it catches up by its vector. */
  peerQueueBytes: 8 * 1024 * 1024,
  /** A pairing frame. */
  pairFrameBytes: 16 * 1024,
  /** The answer to it: operators' documents from their first version on. */
  pairAnswerBytes: 1024 * 1024,
  /** Versions of an operator's document that a board which is paired takes in. */
  operatorVersions: 1024,
  /** Operators' documents in one `now`; those of more come in more of them. */
  operatorsPerNow: 6,
  claimMs: 24 * 3_600_000,
  /** What runs under a guarded lease goes on for at most so long without being renewed. */
  leaseMs: 60_000,
  /** Of a request; a majority of them renews. */
  guardians: 3,
  /** From the moment at which an instance has to be over until nothing of it runs. */
  killMs: 5_000,
  /** By how much the clock of a board or a gateway goes too fast or too slow. */
  clockPpm: 500,
  /** Unsettled usage records a board keeps; when short, intermediate ones go first. */
  outboxRecords: 100_000,
  /** Leases of which a board remembers that it closed them: a gateway that has not heard so may list them again. */
  closedLeases: 1024,
  /** Publishers of which a board knows the newest version, and requests and shares of which it knows the newest sequence: so many of each. */
  remembered: 1024,
  rootKeys: 16,
  gateways: 96,
  /** Of a file that whoever wrote a card left on it: bytes, Wi-Fi networks, addresses of the first gateway. */
  setupBytes: 32 * 1024,
  setupNetworks: 16,
  setupGateways: 8,
  /** Of the page that an unpaired board shows: what is sent to it, readers at once, and how long one may take. */
  pageRequestBytes: 4 * 1024,
  pageConnections: 8,
  pageMs: 10_000,
  /** An HTTP body. */
  bodyBytes: 128 * 1024,
  parameters: 32,
  /** A JSON Schema of a release, and what an instance publishes, both as JSON. */
  schemaBytes: 8 * 1024,
  schemaDepth: 8,
  connectionBytes: 2 * 1024,
  /** Of a shared instance: whom it serves at most, and what it says to one of them of how it is reached. */
  shares: 64,
  shareConnectionBytes: 512,
  promises: 8,
  /** Outbound rules of a release. */
  outboundRules: 16,
  /** Links of a release to other instances. */
  links: 8,
  /** Ports of a release that can be published. */
  published: 8,
  /** Devices of a release. */
  devices: 8,
  /** What one board offers, or its owner lends, beside room. */
  grants: 32,
  /** A probe that has not answered by then has failed. */
  probeTimeoutMs: 60_000,
  probeIntervalMs: 24 * 3_600_000,
  probeGraceMs: 3_600_000,
  /** What a manifest may ask of a partition; no board has more. */
  memoryMib: 1024 * 1024,
  cpuMillis: 1_024_000,
  pids: 32_768,
  /** From the signal that asks a program to end until it is killed. */
  stopGraceMs: 60_000,
  /** How long a new release has to hold its promises, at most, before it is past falling back. */
  bakeMs: 24 * 3_600_000,
  /** How long an instance may hold off an update of its release. */
  holdMs: 24 * 3_600_000,
  /** How long a hook of `/data` may take around an update. */
  hookMs: 3_600_000,
  /** Of what a hook said last, so much stands in the reason of its failure. */
  lastLineChars: 96,
  /** Of a rollout, beside the last one. */
  waves: 8,
  /** Times of the day at which releases may change. */
  windows: 8,
  /** How long an update waits for such a time, at most: each comes once in a day. */
  windowMs: 24 * 3_600_000,
  textBytes: 1024,
  /** Pages and chunks at a gateway, unless its operator says otherwise. */
  contentBytes: 16 * 1024 * 1024 * 1024,
  /** From when nobody needs a release until its content goes. */
  contentGraceMs: 24 * 3_600_000,
  /** The same while there is little room. */
  contentShortGraceMs: 3_600_000,
  /** Newest releases of each recipe that are kept all the same, while there is room. */
  keptReleases: 2,
  /** Sessions of one gateway process. */
  sessions: 10_000,
  /** Of them one tenant's, each under a word of its own; or nobody else would get in. */
  sessionsPerTenant: 16,
  /** Documents of one tenant that a gateway takes into its log in an hour. */
  entriesPerTenantHour: 3600,
} as const;

/** The versions of the protocol this build speaks; `hello` settles on the highest common one. */
export const PROTOCOL = { min: 1, max: 1 } as const;
