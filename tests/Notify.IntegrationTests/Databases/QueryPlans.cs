using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace Notify.IntegrationTests.Databases;

/// <summary>Counts the queries, and where asked to has the database explain each of them.</summary>
internal sealed class QueryPlans : DbCommandInterceptor
{
    public int Count { get; private set; }

    public bool Explains { get; set; }

    public List<(string Sql, string Plan)> Seen { get; } = [];

    public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        await TakeAsync((NpgsqlCommand)command, cancellationToken);
        return result;
    }

    public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        await TakeAsync((NpgsqlCommand)command, cancellationToken);
        return result;
    }

    private async Task TakeAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        Count++;
        if (!Explains || command.CommandText.Contains(';', StringComparison.Ordinal) || command.CommandText.Contains("advisory", StringComparison.Ordinal))
        {
            return;
        }

        // Where it changes rows, it does so for this explanation too, and is taken back.
        await using var connection = new NpgsqlConnection(command.Connection!.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var explain = command.Clone();
        (explain.Connection, explain.Transaction, explain.CommandText) = (connection, transaction, $"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {command.CommandText}");
        var lines = new List<string>();
        await using (var reader = await explain.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                lines.Add(reader.GetString(0));
            }
        }

        await transaction.RollbackAsync(cancellationToken);
        Seen.Add((command.CommandText, string.Join('\n', lines)));
    }
}
