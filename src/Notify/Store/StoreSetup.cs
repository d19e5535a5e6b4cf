using Microsoft.EntityFrameworkCore;

namespace Notify.Store;

/// <summary>Registers the store.</summary>
internal static class StoreSetup
{
    /// <summary>Name of the store's connection string.</summary>
    public const string ConnectionName = "Notify";

    public static IServiceCollection AddNotifyStore(this IServiceCollection services, IConfiguration configuration)
    {
        var connectionString = configuration.GetConnectionString(ConnectionName) is { Length: > 0 } configured ? configured : "Data Source=notify.db";
        return services
            .AddPooledDbContextFactory<NotifyDbContext>(options => options.UseNotifySqlite(connectionString))
            .AddScoped(provider => provider.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContext());
    }

    internal static DbContextOptionsBuilder UseNotifySqlite(this DbContextOptionsBuilder options, string connectionString) =>
        options.UseSqlite(connectionString).AddInterceptors(new SqlitePragmas());
}

/// <summary>For <c>dotnet ef</c>, which generates migrations.</summary>
internal sealed class DesignTimeFactory : Microsoft.EntityFrameworkCore.Design.IDesignTimeDbContextFactory<NotifyDbContext>
{
    public NotifyDbContext CreateDbContext(string[] args) =>
        new((DbContextOptions<NotifyDbContext>)new DbContextOptionsBuilder<NotifyDbContext>().UseNotifySqlite("Data Source=:memory:").Options);
}
