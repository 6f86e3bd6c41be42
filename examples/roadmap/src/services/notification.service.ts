export interface Transport {
  send(to: string, text: string): Promise<void>;
}

export class NotificationService {
  private readonly muted = new Set<string>();

  constructor(private readonly transport: Transport) {}

  mute(to: string): void {
    this.muted.add(to);
  }

  unmute(to: string): void {
    this.muted.delete(to);
  }

  isMuted(to: string): boolean {
    return this.muted.has(to);
  }

  /** Sends unless the receiver is muted; says whether it was sent. */
  async notify(to: string, text: string): Promise<boolean> {
    if (text.trim() === '') {
      throw new Error('a notification needs a text');
    }
    if (this.muted.has(to)) {
      return false;
    }
    await this.transport.send(to, text);
    return true;
  }
}
