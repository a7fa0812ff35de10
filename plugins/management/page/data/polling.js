/**
 * Doing something again and again while somebody looks: at once, then an interval after the last time has ended.
 *
 * A tab that isn't seen doesn't ask. What fails is told, and tried again.
 */

export class Clock {
  #waiting = new Set();
  #intervalMs;

  constructor(intervalMs) {
    this.#intervalMs = intervalMs;
    document.addEventListener('visibilitychange', () => !document.hidden && this.#wake());
  }

  /** 0: not at all, until it is asked for. */
  set intervalMs(value) {
    this.#intervalMs = value;
    this.#wake();
  }

  get intervalMs() {
    return this.#intervalMs;
  }

  /**
   * Runs `work(signal)` until the signal is aborted. failed(error) is told what it throws, worked() that it didn't.
   * Gives back a function that has it done at once, and that resolves when it is.
   */
  repeat(work, signal, { failed, worked = () => {} }) {
    const job = { wake: () => {}, done: [] };
    this.#waiting.add(job);
    signal.addEventListener('abort', () => {
      this.#waiting.delete(job);
      job.wake();
    });
    this.#run(job, work, signal, failed, worked);
    return () =>
      new Promise((resolve) => {
        job.done.push(resolve);
        job.asked = true;
        job.wake();
      });
  }

  async #run(job, work, signal, failed, worked) {
    while (!signal.aborted) {
      const done = job.done.splice(0);
      job.asked = false;
      try {
        await work(signal);
        worked();
      } catch (error) {
        if (!signal.aborted) {
          failed(error);
        }
      }
      done.forEach((each) => each());
      if (!signal.aborted && !job.asked) {
        await this.#pause(job);
      }
    }
    job.done.splice(0).forEach((each) => each());
  }

  /** Until it is time, or somebody asks. */
  #pause(job) {
    return new Promise((resolve) => {
      let timer = null;
      const end = () => {
        clearTimeout(timer);
        job.wake = () => {};
        job.again = () => {};
        resolve();
      };
      const begin = () => {
        clearTimeout(timer);
        timer = this.#intervalMs ? setTimeout(() => (document.hidden ? (job.late = true) : end()), this.#intervalMs) : null;
      };
      job.late = false;
      job.wake = end;
      job.again = () => (job.late ? end() : begin());
      begin();
    });
  }

  #wake() {
    for (const job of this.#waiting) {
      job.again?.();
    }
  }
}
