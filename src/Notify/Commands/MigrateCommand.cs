using System.CommandLine;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Notify.Store;

namespace Notify.Commands;

/// <summary><c>migrate</c>: brings the configured database to the current schema.</summary>
internal static class MigrateCommand
{
    public static Command Create()
    {
        var script = new Option<bool>("--script") { Description = "Print the SQL instead of running it. It makes the schema of an empty database, and brings an older one up to date; for SQLite, where SQL cannot tell, one as the configured file is now." };
        var command = new Command("migrate", "Brings the configured database to the current schema.") { script }.TakesConfiguration();
        command.SetAction((arguments, cancellationToken) => RunAsync(arguments, arguments.GetValue(script), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, bool script, CancellationToken cancellationToken)
    {
        var builder = NotifyApplication.CreateBuilder(arguments.Configuration());
        builder.Services.AddNotifyOptions(builder.Environment).AddNotifyStore(builder.Configuration);
        await using var services = builder.Services.BuildServiceProvider();
        _ = services.GetRequiredService<Microsoft.Extensions.Options.IOptions<NotifyOptions>>().Value;
        await using var db = await services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(cancellationToken);
        if (script)
        {
            Console.WriteLine(await ScriptAsync(db, cancellationToken));
            return 0;
        }

        var pending = (await db.Database.GetPendingMigrationsAsync(cancellationToken)).ToList();
        if (pending.Count > 0)
        {
            await StoreStartup.MigrateAsync(db, cancellationToken);
        }

        Console.WriteLine(pending.Count == 0 ? "The database is at the current schema." : $"Applied {string.Join(", ", pending)}.");
        return 0;
    }

    // SQLite has no statement that depends on what there is.
    private static async Task<string> ScriptAsync(NotifyDbContext db, CancellationToken cancellationToken) => db is SqliteNotifyDbContext
        ? db.GetService<IMigrator>().GenerateScript(fromMigration: (await db.Database.GetAppliedMigrationsAsync(cancellationToken)).LastOrDefault())
        : db.GetService<IMigrator>().GenerateScript(options: MigrationsSqlGenerationOptions.Idempotent);
}
