export interface Env {
  nodeEnv: 'development' | 'test' | 'production';
  port: number;
  logLevel: string;
  databaseUrl?: string;
}

export class EnvError extends Error {}

const NODE_ENVS = ['development', 'test', 'production'] as const;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'];

/** Reads and checks the environment; throws `EnvError` naming the variable that is wrong. */
export function loadEnv(source: NodeJS.ProcessEnv = process.env): Env {
  const nodeEnv = NODE_ENVS.find((known) => known === (source.NODE_ENV ?? 'development'));
  if (!nodeEnv) {
    throw new EnvError(`NODE_ENV must be one of ${NODE_ENVS.join(', ')}`);
  }
  const port = Number(source.PORT ?? '3000');
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new EnvError('PORT must be a number from 1 to 65535');
  }
  const logLevel = source.LOG_LEVEL ?? 'info';
  if (!LOG_LEVELS.includes(logLevel)) {
    throw new EnvError(`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}`);
  }
  if (nodeEnv === 'production' && !source.DATABASE_URL) {
    throw new EnvError('DATABASE_URL is required in production');
  }
  return { nodeEnv, port, logLevel, databaseUrl: source.DATABASE_URL };
}
