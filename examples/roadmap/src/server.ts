import knex from 'knex';
import { buildApp, memoryStores, type Stores } from './app.js';
import { loadEnv } from './config/env.js';
import { KnexRepository } from './db/knex.repository.js';
import type { Assessment, Community, User } from './types.js';

function stores(databaseUrl?: string): Stores {
  if (!databaseUrl) {
    return memoryStores();
  }
  const database = knex({ client: 'pg', connection: databaseUrl });
  return {
    users: new KnexRepository<User>(database, 'users'),
    communities: new KnexRepository<Community>(database, 'communities'),
    assessments: new KnexRepository<Assessment>(database, 'assessments'),
  };
}

const env = loadEnv();
await buildApp(stores(env.databaseUrl), env.nodeEnv !== 'test').listen({
  port: env.port,
  host: env.nodeEnv === 'production' ? '0.0.0.0' : '127.0.0.1',
});
