import type { Metric, Registry } from "prom-client";

/** Upper bounds of the buckets, in seconds: parked polls take up to a minute. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 60] as const;
const NAME = "capstan_http_request_duration_seconds";

interface Series {
  readonly labels: { readonly operation: string; readonly status: string };
  /** Requests per bucket; the last counts those that took longer than every bound. */
  readonly counts: number[];
  seconds: number;
}

/**
 * A histogram with one series per operation and status. The library's own finds a series by building and comparing its
 * labels, which costs each request about as much as routing it.
 */
export class RequestDurations {
  readonly name = NAME;
  readonly help = "Time from the headers of a request to its answer, parked polls included.";
  readonly type = "histogram";
  readonly #series = new Map<string, Map<number, Series>>();

  register(registry: Registry): void {
    registry.registerMetric(this as unknown as Metric);
  }

  observe(operation: string, status: number, seconds: number): void {
    const series = this.#series.get(operation)?.get(status) ?? this.#add(operation, status);
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] as number)) bucket++;
    (series.counts[bucket] as number)++;
    series.seconds += seconds;
  }

  /** What the registry asks for. Operations and statuses are few, so the number of series is bounded. */
  get() {
    const series = [...this.#series.values()].flatMap((ofOperation) => [...ofOperation.values()]);
    return { name: this.name, help: this.help, type: this.type, aggregator: "sum", values: series.flatMap(valuesOf) };
  }

  #add(operation: string, status: number): Series {
    const labels = { operation, status: String(status) };
    const series = { labels, counts: new Array<number>(BUCKETS.length + 1).fill(0), seconds: 0 };
    const ofOperation = this.#series.get(operation) ?? new Map<number, Series>();
    this.#series.set(operation, ofOperation.set(status, series));
    return series;
  }
}

function valuesOf({ labels, counts, seconds }: Series) {
  let sum = 0;
  const buckets = counts.map((count, index) => {
    sum += count;
    return { metricName: `${NAME}_bucket`, labels: { le: BUCKETS[index] ?? "+Inf", ...labels }, value: sum };
  });
  return [
    ...buckets,
    { metricName: `${NAME}_sum`, labels, value: seconds },
    { metricName: `${NAME}_count`, labels, value: sum },
  ];
}
